import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { inputOf, wordsOf, type HistoryEvent } from '../e2e/history.ts';
import { CANARY } from './canary.ts';
import { shapesOf } from './shapes.ts';

const ROOT = new URL('./histories/', import.meta.url);
const RELEASES = readdirSync(ROOT).sort();
const FIRST = '0.1.0';

interface History {
  readonly events: readonly {
    readonly eventType: string;
    readonly [attributes: string]: unknown;
  }[];
}
/** The workflow's id: a history has it in its input alone. */
const runIdOf = ({ events }: { readonly events: readonly object[] }): string =>
  (JSON.parse(inputOf(events as readonly HistoryEvent[])) as { runId: string }).runId;
const namesOf = (release: string): readonly string[] =>
  readdirSync(new URL(`${release}/`, ROOT)).sort();
const read = (release: string, name: string): History =>
  JSON.parse(readFileSync(new URL(`${release}/${name}`, ROOT), 'utf8')) as History;

describe('kept histories', function () {
  this.timeout(60_000);
  let bundle: WorkflowBundleWithSourceMap;
  before(async () => {
    try {
      Runtime.install({
        logger: new DefaultLogger('ERROR'),
        telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
      });
    } catch {
      // Another suite of this process was first: its logger is as good.
    }
    const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
    bundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  });
  const replay = (history: { readonly events: readonly object[] }): Promise<void> =>
    Worker.runReplayHistory({ workflowBundle: bundle }, history, runIdOf(history));

  it('each release has one of every shape of its time', () => {
    for (const release of RELEASES)
      assert.deepEqual(
        shapesOf(release).filter((shape) => !namesOf(release).includes(`${shape}.json`)),
        [],
        release,
      );
  });

  for (const release of RELEASES)
    for (const name of namesOf(release))
      it(`of ${release} replay under this code: ${name.replace('.json', '')}`, () =>
        replay(read(release, name)));

  it('a history in another order is refused, so that this suite can fail', async () => {
    const history = structuredClone(read(FIRST, 'tool.json')) as unknown as {
      events: Record<string, Record<string, unknown>>[];
    };
    for (const event of history.events) {
      const scheduled = event['activityTaskScheduledEventAttributes'] as
        { activityType: { name: string } } | undefined;
      if (scheduled?.activityType.name === 'runTool') scheduled.activityType.name = 'callModel';
    }
    await assert.rejects(replay(history), /[Nn]ondeterminism/);
  });

  it('among them are two in which the database was away and a regular activity made up for it', () => {
    const scheduled = (name: string): readonly string[] =>
      read(FIRST, `${name}.json`).events.flatMap((event) => {
        const attributes = event['activityTaskScheduledEventAttributes'] as
          { activityType: { name: string } } | undefined;
        return attributes === undefined ? [] : [attributes.activityType.name];
      });
    assert.ok(scheduled('settled-without-store').includes('settleRun'));
    assert.ok(scheduled('decided-without-store').includes('claimDecision'));
  });

  it('carry no text of messages, arguments, results or reasons', () => {
    assert.match(wordsOf(read(FIRST, 'tool.json')), /"look 1"/, 'payloads are looked into');
    for (const release of RELEASES)
      for (const name of namesOf(release)) {
        const words = wordsOf(read(release, name));
        for (const canary of [...Object.values(CANARY), 'done 1', 'Follow the plan'])
          assert.ok(!words.includes(canary), `${release}/${name} has "${canary}"`);
      }
  });

  it('the workflow bundle has no SDK client, zod, openai, pg or kysely in it', () => {
    assert.match(bundle.code, /agent-loop\.ts/, 'modules of a bundle are named by their paths');
    const found = [
      '@temporalio/client',
      '@temporalio/worker',
      '@temporalio/activity',
      'zod',
      'openai',
      'pg',
      'kysely',
      'pino',
      'koa',
    ].filter((name) => bundle.code.includes(`node_modules/${name}/`));
    assert.deepEqual(found, []);
  });
});
