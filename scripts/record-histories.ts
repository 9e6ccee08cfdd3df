// `tsx scripts/record-histories.ts 0.1.0`: records histories of every shape from real runs into test/replay/histories/<release>/.
// Once a release; what was recorded is never recorded again, so a name that is there already is left alone.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { AgentSnapshot } from '../src/contract/agent.ts';
import { drive, openBench } from '../test/store/fixture.ts';
import { SHAPES, type Shape } from '../test/replay/shapes.ts';
import { historyText } from '../test/e2e/history.ts';
import { CANARY } from '../test/replay/canary.ts';
import {
  callerOf,
  followPlan,
  openStage,
  pendingOf,
  plan,
  tokenOf,
  type Step,
} from '../test/e2e/stage.ts';
import { startPostgres } from '../test/rig/postgres.ts';
import { startProduct } from '../test/rig/product.ts';
import type { Reply } from '../test/rig/scripted-model.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { startTemporal } from '../test/rig/temporal.ts';
import { until } from '../test/rig/wait.ts';

const release = process.argv[2];
assert.ok(
  release !== undefined && /^\d+\.\d+\.\d+$/.test(release),
  'usage: tsx scripts/record-histories.ts <release>',
);
const folder = fileURLToPath(new URL(`../test/replay/histories/${release}/`, import.meta.url));
mkdirSync(folder, { recursive: true });

const database = await startPostgres();
assert.ok(database.ok, 'a PostgreSQL that may be stopped is needed');
const { postgres } = database;
const temporal = await startTemporal();
let instead: (() => Reply) | undefined;
const stage = await openStage((body) => instead?.() ?? followPlan(body));
const databaseUrl = await postgres.createDatabase();
const env = {
  ...stage.env,
  DATA_DIR: tempDir(),
  DATABASE_URL: databaseUrl,
  TEMPORAL_ADDRESS: temporal.address,
  OPERATOR_DECISIONS: 'full',
};
const api = await startProduct({ role: 'api', env });
const worker = await startProduct({ role: 'worker', env, noWait: true });
const ada = callerOf(api.url, await tokenOf('ada'));
const lea = callerOf(api.url, await tokenOf('lea'));

const { message, argument, reason } = CANARY;
const look = ['look', { amount: 1, note: argument }] as const;
const settled = async (runId: string, agentId = 'helper') =>
  (await ada.read({ runId, agentId }, 60)).run;
const signal = (runId: string, name: string, input?: object) =>
  temporal.cli([
    ...['workflow', 'signal', '--workflow-id', runId, '--name', name],
    ...(input === undefined ? [] : ['--input', JSON.stringify(input)]),
  ]);
const paused = async (...steps: readonly Step[]) => {
  const { run } = await ada.ask(plan(...steps));
  assert.equal(run.status, 'PAUSED');
  return run;
};
const hang = async (during: () => Promise<string>): Promise<string> => {
  const before = stage.model.requests.length;
  instead = () => ({ text: message, hang: 'mid' });
  const runId = await during();
  await until('the model was asked', () => stage.model.requests.length > before);
  instead = undefined;
  return runId;
};

const play: Record<Shape, () => Promise<string>> = {
  completed: async () => (await ada.ask(plan(message))).run.runId,
  tool: async () => (await ada.ask(plan([look], message))).run.runId,
  'parallel-tools': async () =>
    (await ada.ask(plan([look, ['note', {}], ['keep', { amount: 2 }]], message))).run.runId,
  'refused-call': async () =>
    (await ada.ask(plan([['no_such_tool', {}], look], message))).run.runId,
  'paused-open': async () => (await paused([look, ['pay', { amount: 5 }]], message)).runId,
  approved: async () =>
    (await lea.decide(await paused([look, ['pay', { amount: 5 }]], message), { action: 'APPROVE' }))
      .run.runId,
  rejected: async () =>
    (
      await lea.decide(await paused([['pay', { amount: 5 }]], message), {
        action: 'REJECT',
        reason,
      })
    ).run.runId,
  edited: async () => {
    const run = await paused([['pay', { amount: 5 }]], message);
    const [call] = pendingOf(run);
    return (
      await lea.decide(run, { action: 'APPROVE', callId: call?.callId, arguments: { amount: 4 } })
    ).run.runId;
  },
  'two-of-three-approved': async () => {
    const run = await paused([['pay', { amount: 1 }], ['send', { amount: 2 }], ['pay', { amount: 3 }]], message); // prettier-ignore
    const [a, b, c] = pendingOf(run).map((call) => call.callId);
    const decisions = [
      { callId: a, action: 'APPROVE' },
      { callId: b, action: 'REJECT', reason },
      { callId: c, action: 'APPROVE' },
    ];
    return (await lea.decide(run, { decisions })).run.runId;
  },
  'two-pauses': async () => {
    const run = await paused([['pay', { amount: 1 }]], [['send', { amount: 2 }]], message);
    const again = await lea.decide(run, { action: 'APPROVE' });
    assert.equal(again.run.status, 'PAUSED');
    return (await lea.decide(again.run, { action: 'APPROVE', pauseId: again.run.pauseId })).run
      .runId;
  },
  expired: async () => {
    const { run } = await ada.ask(plan([['pay', { amount: 5 }]], message), { agent: 'expiring' });
    await until('the pause expired', async () => (await ada.read(run)).run.status === 'COMPLETED');
    return run.runId;
  },
  'cancelled-running': async () => {
    const runId = await hang(() => ada.begin(plan(message)));
    await ada.cancel({ runId });
    return runId;
  },
  'cancelled-paused': async () => {
    const run = await paused([['pay', { amount: 5 }]], message);
    await ada.cancel(run);
    return run.runId;
  },
  'failed-by-budget': async () =>
    (await ada.ask(plan([look, look], message), { agent: 'tight' })).run.runId,
  'model-refused': async () => {
    instead = () => ({ status: 400 });
    const { run } = await ada.ask(plan(message));
    instead = undefined;
    return run.runId;
  },
  'unknown-outcome': async () => {
    const run = await paused([['pay', { mode: 'drop' }]], message);
    const unknown = await lea.decide(run, { action: 'APPROVE' });
    const [call] = pendingOf(unknown.run);
    assert.equal(call?.kind, 'OUTCOME_UNKNOWN');
    return (
      await lea.decide(unknown.run, {
        action: 'REJECT',
        callId: call.callId,
        pauseId: unknown.run.pauseId,
      })
    ).run.runId;
  },
  'operator-approved': async () => {
    const run = await paused([['pay', { amount: 5 }]], message);
    await signal(run.runId, 'approve', { callId: pendingOf(run)[0]?.callId });
    return (await settled(run.runId)).runId;
  },
  'signals-that-changed-nothing': async () => {
    const runId = await hang(() => ada.begin(plan(message)));
    await signal(runId, 'approve');
    await ada.cancel({ runId });
    const run = await paused([['pay', { amount: 5 }]], message);
    await signal(run.runId, 'approve', { callId: 'call_of_nobody' });
    await signal(run.runId, 'reject', { nonsense: true });
    await until(
      'both were read',
      async () =>
        (await historyText(temporal.cli, run.runId)).split('EVENT_TYPE_MARKER_RECORDED').length > 3,
    );
    return (await lea.decide(run, { action: 'APPROVE' })).run.runId;
  },
  'worker-killed': async () => {
    const runId = await hang(() => ada.begin(plan([look], message)));
    await worker.kill9();
    await worker.start();
    return (await settled(runId)).runId;
  },
  'follow-ups': async () => {
    // Through the store, as the routes do it: they may still refuse what the workflow can do already.
    await ada.ask(plan(message));
    const [row] = await postgres.sql(
      `select body from agent_snapshots where body->>'id' = 'helper' limit 1`,
      databaseUrl,
    );
    const { store, close } = await openBench(databaseUrl);
    const { runId } = await drive(store).start({
      agent: row?.['body'] as AgentSnapshot,
      input: plan(message),
      generateFollowups: true,
    });
    await close();
    assert.deepEqual((await settled(runId)).metadata.followUps, ['And then?']);
    return runId;
  },
  'settled-without-store': async () => {
    // The session's row is held, so that settling waits; then the database goes away under it.
    const runId = await hang(() => ada.begin(plan(message)));
    const holder = new pg.Client({ connectionString: databaseUrl });
    holder.on('error', () => undefined);
    await holder.connect();
    await holder.query('begin');
    await holder.query(
      'select 1 from sessions s join runs r using (org_id, user_id, session_id) where r.run_id = $1 for no key update of s',
      [runId],
    );
    await worker.kill9(); // its hanging model call with it; the next attempt is answered
    await worker.start();
    const marker = 'EVENT_TYPE_ACTIVITY_TASK_COMPLETED';
    await until('the answer is there', async () =>
      (await historyText(temporal.cli, runId)).includes(marker),
    );
    await postgres.kill9();
    await sleep(5000);
    await postgres.start();
    return (await settled(runId)).runId;
  },
  'decided-without-store': async () => {
    const run = await paused([['pay', { amount: 5 }]], message);
    await postgres.kill9();
    await signal(run.runId, 'approve');
    await sleep(5000);
    await postgres.start();
    await until('it went on', async () => (await ada.read(run)).run.status === 'COMPLETED');
    return run.runId;
  },
};

let problems = 0;
for (const shape of SHAPES) {
  const file = join(folder, `${shape}.json`);
  if (existsSync(file)) continue;
  try {
    const runId = await play[shape]();
    if (shape !== 'paused-open')
      await until('the workflow has closed', async () =>
        (await historyText(temporal.cli, runId)).includes('EVENT_TYPE_WORKFLOW_EXECUTION_C') ||
        (await historyText(temporal.cli, runId)).includes('EVENT_TYPE_WORKFLOW_EXECUTION_FAILED')); // prettier-ignore
    const text = await historyText(temporal.cli, runId);
    writeFileSync(file, text.endsWith('\n') ? text : `${text}\n`);
    console.log(`${shape}: ${(JSON.parse(text) as { events: unknown[] }).events.length} events`);
  } catch (error) {
    problems++;
    instead = undefined;
    console.error(
      `${shape}: not recorded: ${error instanceof Error ? error.message : String(error)}\n${worker.log().slice(-2000)}`,
    );
  }
}
for (const close of [worker.stop, api.stop, temporal.stop, postgres.stop, stage.close])
  await close();
process.exit(problems === 0 ? 0 : 1);
