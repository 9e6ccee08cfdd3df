// The alert rules and the dashboard in deploy/: they name only metrics that there are, and
// Prometheus' own programme takes the rules.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { createMeter } from '../../src/metrics/meter.ts';
import { createRecordGauges } from '../../src/metrics/record-gauges.ts';
import type { Store } from '../../src/store/database/access.ts';
import { skipBecause } from '../rig/skip.ts';

const fileAt = (path: string): string =>
  fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url));
const RULES = fileAt('prometheus/alerts.yml');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly action: string };
}
interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
}

describe('alerts and dashboard', () => {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);
  const { panels } = JSON.parse(
    readFileSync(fileAt('grafana/holdpoint.json'), 'utf8'),
  ) as Dashboard;

  it('ask only for metrics that are served', () => {
    const { registry } = createMeter();
    createRecordGauges({} as Store, registry);
    const served = new Set(
      registry.getMetricsAsArray().flatMap(({ name }) => [name, `${name}_bucket`, `${name}_count`]),
    );
    const asked = [...rules, ...panels.flatMap(({ targets }) => targets)].flatMap(
      ({ expr }) => expr.match(/\b(?:holdpoint|nodejs)_\w+/g) ?? [],
    );
    assert.ok(asked.length > 20);
    assert.deepEqual(
      asked.filter((name) => !served.has(name)),
      [],
    );
  });

  it('each alert says what is wrong and what to do', () => {
    for (const { alert, annotations } of rules)
      assert.ok(annotations.summary.length > 20 && annotations.action.length > 20, alert);
  });

  it('promtool takes the rules', function () {
    try {
      execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    } catch {
      skipBecause(this, 'promtool is not here (the package "prometheus" of Debian has it)');
    }
    execFileSync('promtool', ['check', 'rules', RULES], { stdio: 'pipe' });
  });
});
