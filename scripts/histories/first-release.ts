// How the runs of the first release's shapes are played.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { AgentSnapshot } from '../../src/contract/agent.ts';
import { historyText } from '../../test/e2e/history.ts';
import { pendingOf, plan } from '../../test/e2e/stage.ts';
import { CANARY } from '../../test/replay/canary.ts';
import type { FirstShape } from '../../test/replay/shapes.ts';
import { until } from '../../test/rig/wait.ts';
import { drive, openBench } from '../../test/store/fixture.ts';
import type { Actors, Plays } from './actors.ts';

const { message, reason } = CANARY;

// One entry a shape, as a list.
// oxlint-disable-next-line max-lines-per-function
export function playsOfFirstRelease(actors: Actors): Plays<FirstShape> {
  const { postgres, temporal, databaseUrl, worker, ada, lea } = actors;
  const { look, settled, signal, paused, hang, modelDoes } = actors;
  return {
    completed: async () => (await ada.ask(plan(message))).run.runId,
    tool: async () => (await ada.ask(plan([look], message))).run.runId,
    'parallel-tools': async () =>
      (await ada.ask(plan([look, ['note', {}], ['keep', { amount: 2 }]], message))).run.runId,
    'refused-call': async () =>
      (await ada.ask(plan([['no_such_tool', {}], look], message))).run.runId,
    'paused-open': async () => (await paused([look, ['pay', { amount: 5 }]], message)).runId,
    approved: async () =>
      (
        await lea.decide(await paused([look, ['pay', { amount: 5 }]], message), {
          action: 'APPROVE',
        })
      ).run.runId,
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
      await until(
        'the pause expired',
        async () => (await ada.read(run)).run.status === 'COMPLETED',
      );
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
      modelDoes(() => ({ status: 400 }));
      const { run } = await ada.ask(plan(message));
      modelDoes();
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
          (await historyText(temporal.cli, run.runId)).split('EVENT_TYPE_MARKER_RECORDED').length >
          3,
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
      await until(
        'the answer is there',
        async () => (await historyText(temporal.cli, runId)).includes(marker),
        90_000,
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
}
