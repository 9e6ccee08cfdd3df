// How the runs are played that came with a run outliving its model, its failure and a pause of its
// workflow by an operator.

import assert from 'node:assert/strict';
import { historyText } from '../../test/e2e/history.ts';
import { pendingOf, plan, type Step } from '../../test/e2e/stage.ts';
import { CANARY } from '../../test/replay/canary.ts';
import type { KeptShape } from '../../test/replay/shapes.ts';
import { until } from '../../test/rig/wait.ts';
import type { Actors, Plays } from './actors.ts';

const { message, reason } = CANARY;
/** A worker that has just been started, on a machine that has other things to do. */
const WITH_A_NEW_WORKER_MS = 90_000;
const pay = ['pay', { amount: 5 }] as const;

// One entry a shape, as a list.
// oxlint-disable-next-line max-lines-per-function
export function playsOfKeptRuns(actors: Actors): Plays<KeptShape> {
  const { temporal, worker, ada, lea } = actors;
  const { look, settled, workflow, paused, modelDoes } = actors;
  /** A run that waits for its model after its first turn. */
  async function waiting(): Promise<string> {
    const { run } = await ada.ask(plan([pay], message));
    modelDoes(() => ({ status: 503 }));
    await lea.decide(run, { action: 'APPROVE' }, 'wait=0');
    await until(
      'it waits for its model',
      async () => (await ada.read(run)).run.waitingFor !== undefined,
      60_000,
    );
    return run.runId;
  }
  async function terminate({ runId }: { readonly runId: string }): Promise<void> {
    await workflow(runId, 'terminate');
    await until('it has failed', async () => (await ada.read({ runId })).run.status === 'FAILED');
  }
  /** Paused by an operator, and let go after a worker that has never seen it is there. */
  async function held(runId: string, meanwhile: () => Promise<unknown>): Promise<void> {
    await workflow(runId, 'pause');
    await until('it is held', async () => (await ada.read({ runId })).run.heldBy === 'operator');
    await meanwhile();
    await worker.kill9();
    await worker.start();
    await workflow(runId, 'unpause');
  }
  return {
    'waited-for-model': async () => {
      const runId = await waiting();
      modelDoes();
      assert.equal((await settled(runId)).status, 'COMPLETED');
      return runId;
    },
    'model-away-for-longer-than-patience': async () => {
      const runId = await waiting();
      assert.equal((await settled(runId)).error?.code, 'MODEL_UNAVAILABLE');
      modelDoes();
      return runId;
    },
    'cancelled-waiting-for-model': async () => {
      const runId = await waiting();
      await ada.cancel({ runId });
      modelDoes();
      return runId;
    },
    'taken-up-again': async () => {
      const run = await paused([look], [pay], message);
      await terminate(run);
      const again = await ada.retry(run);
      assert.equal(again.run.status, 'PAUSED');
      const end = await lea.decide(run, { action: 'APPROVE', pauseId: again.run.pauseId });
      assert.equal(end.run.status, 'COMPLETED');
      return run.runId;
    },
    'taken-up-with-an-unknown-outcome': async () => {
      const run = await paused([['pay', { mode: 'drop' }]], message);
      await lea.decide(run, { action: 'APPROVE' });
      await terminate(run);
      const again = await ada.retry(run);
      const [call] = pendingOf(again.run);
      assert.equal(call?.kind, 'OUTCOME_UNKNOWN');
      const { callId } = call;
      const { pauseId } = again.run;
      await lea.decide(again.run, { action: 'REJECT', callId, pauseId });
      return run.runId;
    },
    'rejected-before': async () => {
      const run = await paused([pay], [pay], message);
      const end = await lea.decide(run, { action: 'REJECT', reason });
      assert.equal(end.run.status, 'COMPLETED');
      assert.equal(end.run.tools.length, 2);
      return run.runId;
    },
    'one-of-two-rejected-before': async () => {
      const send = ['send', { amount: 2 }] as const;
      const run = await paused([pay, send], [pay, send], message);
      const [a, b] = pendingOf(run).map(({ callId }) => callId);
      const decisions = [
        { callId: a, action: 'REJECT', reason },
        { callId: b, action: 'APPROVE' },
      ];
      const again = await lea.decide(run, { decisions });
      assert.equal(pendingOf(again.run).length, 1);
      await lea.decide(again.run, { action: 'APPROVE', pauseId: again.run.pauseId });
      return run.runId;
    },
    'rejected-too-often': async () => {
      const insists: readonly Step[] = [1, 2, 3, 4].map((amount) => [['pay', { amount }]]);
      let run = await paused(...insists, message);
      const { runId } = run;
      while (run.status === 'PAUSED')
        run = (await lea.decide(run, { action: 'REJECT', reason, pauseId: run.pauseId })).run;
      assert.equal(run.error?.code, 'BUDGET_EXCEEDED');
      return runId;
    },
    'go-between-did-not-know': async () => {
      const run = await paused([['pay', { mode: 'fail:502' }]], message);
      const unknown = await lea.decide(run, { action: 'APPROVE' });
      const [call] = pendingOf(unknown.run);
      assert.equal(call?.kind, 'OUTCOME_UNKNOWN');
      const { callId } = call;
      const { pauseId } = unknown.run;
      await lea.decide(unknown.run, { action: 'REJECT', callId, pauseId });
      return run.runId;
    },
    'held-by-operator': async () => {
      const run = await paused([look, pay], message);
      await held(run.runId, () => lea.decide(run, { action: 'APPROVE' }));
      assert.equal((await settled(run.runId)).status, 'COMPLETED');
      return run.runId;
    },
    'held-and-rejected-by-operator': async () => {
      const run = await paused([look, pay], message);
      await held(run.runId, () => workflow(run.runId, 'signal', '--name', 'reject'));
      await until(
        'it ends',
        async () => (await ada.read(run)).run.status === 'COMPLETED',
        WITH_A_NEW_WORKER_MS,
      );
      const text = await historyText(temporal.cli, run.runId);
      assert.match(text, /EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED/);
      return run.runId;
    },
  };
}
