// The chart in deploy/helm, rendered and linted by Helm's own engine, held to what it promises.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { SETTINGS } from '../../src/settings/settings.ts';
import { skipBecause } from '../rig/skip.ts';
import { tempDir } from '../rig/temp-dir.ts';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('helm-chart.py', import.meta.url));
const CHART = fileURLToPath(new URL('../../deploy/helm/holdpoint', import.meta.url));
/** Helm 4 as a library, with its binary inside. */
const PACKAGE = 'helm-python-sdk==0.2.2';
/** What SIGTERM is given by the process itself. */
const DRAIN_S = 24;

// Manifests are looked into field by field: one that is not as expected fails there.
// oxlint-disable-next-line typescript/no-explicit-any
type Manifest = any;

describe('the Helm chart', function () {
  this.timeout(300_000);
  const packages = tempDir();
  before(async function () {
    const install = ['-m', 'pip', 'install', '--quiet', '--target', packages, PACKAGE];
    const problem = await run('python3', install).then(
      () => undefined,
      (error: Error) => error.message.split('\n')[0],
    );
    if (problem !== undefined)
      skipBecause(this, `the Python package ${PACKAGE} cannot be installed here: ${problem}`);
  });

  const rendered = async (values: object): Promise<readonly Manifest[]> => {
    const { stdout } = await run('python3', [SCRIPT, CHART, JSON.stringify(values)], {
      env: { PATH: process.env['PATH'], PYTHONPATH: packages },
      maxBuffer: 2 ** 24,
    });
    const { errors, manifests } = JSON.parse(stdout) as { errors: string[]; manifests: string[] };
    assert.deepEqual(errors, []);
    return manifests
      .flatMap((text) => parseAllDocuments(text))
      .map((document) => document.toJS() as Manifest)
      .filter((manifest) => manifest !== null);
  };
  const team = (name: string): object =>
    parse(readFileSync(`${CHART}/values-${name}.yaml`, 'utf8')) as object;
  const everything = {
    agents: 'our-agents',
    auditKey: true,
    toolSecrets: ['mail'],
    temporal: { apiKeyFrom: 'temporal-api-key' },
    image: { digest: `sha256:${'0'.repeat(64)}` },
    metrics: { from: [{ namespaceSelector: {} }] },
  };

  for (const [what, values] of [
    ['as it stands', {}],
    ['for a small team', team('small')],
    ['for a large one', team('large')],
    ['with everything set', everything],
  ] as const)
    it(`${what}: API, worker and migration, each without rights, with probes, budget and scaling`, async () => {
      const all = await rendered(values);
      const ofKind = (kind: string): Manifest[] => all.filter((each) => each.kind === kind);
      const deployments = ofKind('Deployment');
      assert.deepEqual(deployments.map(({ metadata }) => metadata.name).toSorted(), [
        'demo-api',
        'demo-worker',
      ]);
      for (const kind of ['PodDisruptionBudget', 'HorizontalPodAutoscaler'])
        assert.equal(ofKind(kind).length, 2, kind);
      for (const { spec } of [...deployments, ...ofKind('Job')]) {
        const pod = spec.template.spec;
        assert.equal(pod.securityContext.runAsNonRoot, true);
        assert.equal(pod.automountServiceAccountToken, false);
        const [container] = pod.containers;
        assert.equal(container.securityContext.readOnlyRootFilesystem, true);
        assert.deepEqual(container.securityContext.capabilities.drop, ['ALL']);
        const mounted = new Set(container.volumeMounts.map(({ name }: Manifest) => name));
        assert.deepEqual(new Set(pod.volumes.map(({ name }: Manifest) => name)), mounted);
        for (const { name, value } of container.env) {
          assert.ok(Object.hasOwn(SETTINGS, name), `${name} is no setting`);
          if (/PASSWORD|SECRET|KEY/.test(name))
            assert.ok(value === undefined || value.startsWith('/run/secrets/'), name);
        }
      }
      for (const { spec } of deployments) {
        const pod = spec.template.spec;
        assert.ok(pod.terminationGracePeriodSeconds > DRAIN_S + 5);
        const [container] = pod.containers;
        for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
          assert.match(container[probe].httpGet.path, /^\/health\//);
        const secrets = JSON.stringify(pod.volumes);
        assert.ok(!secrets.includes('migration-password'), 'the owner’s password');
      }
    });
});
