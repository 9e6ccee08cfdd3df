// What the recorded runs are played with: the product's two roles apart, a PostgreSQL and a Temporal
// that may be stopped, a scripted model, and who asks and decides.

import assert from 'node:assert/strict';
import { callerOf, followPlan, openStage, plan, tokenOf, type Step } from '../../test/e2e/stage.ts';
import { CANARY } from '../../test/replay/canary.ts';
import { startPostgres } from '../../test/rig/postgres.ts';
import { startProduct } from '../../test/rig/product.ts';
import type { Reply } from '../../test/rig/scripted-model.ts';
import { tempDir } from '../../test/rig/temp-dir.ts';
import { startTemporal } from '../../test/rig/temporal.ts';
import { until } from '../../test/rig/wait.ts';

/** Long enough for a run to be seen waiting, short enough to be outlasted. */
const PATIENCE_S = 8;

export type Actors = Awaited<ReturnType<typeof openActors>>;
/** Plays a run of one shape; returns its id. */
export type Plays<Shape extends string> = Readonly<Record<Shape, () => Promise<string>>>;

export async function openActors() {
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
    MODEL_PATIENCE_S: String(PATIENCE_S),
  };
  const api = await startProduct({ role: 'api', env });
  const worker = await startProduct({ role: 'worker', env, noWait: true });
  const ada = callerOf(api.url, await tokenOf('ada'));
  const lea = callerOf(api.url, await tokenOf('lea'));
  // The worker is there: what follows is timed.
  await ada.ask(plan('Here.'));
  return {
    ...{ postgres, temporal, stage, databaseUrl, worker, ada, lea },
    /** What the model does whatever it is asked; undefined: it follows the plan. */
    modelDoes: (reply?: () => Reply): void => void (instead = reply),
    look: ['look', { amount: 1, note: CANARY.argument }] as const,
    settled: async (runId: string, agentId = 'helper') =>
      (await ada.read({ runId, agentId }, 60)).run,
    workflow: (runId: string, ...words: readonly [string, ...(readonly string[])]) =>
      temporal.cli(['workflow', words[0], '--workflow-id', runId, ...words.slice(1)]),
    signal: (runId: string, name: string, input?: object) =>
      temporal.cli([
        ...['workflow', 'signal', '--workflow-id', runId, '--name', name],
        ...(input === undefined ? [] : ['--input', JSON.stringify(input)]),
      ]),
    paused: async (...steps: readonly Step[]) => {
      const { run } = await ada.ask(plan(...steps));
      assert.equal(run.status, 'PAUSED');
      return run;
    },
    /** The model falls silent in the middle of the reply to what `during` starts. */
    hang: async (during: () => Promise<string>): Promise<string> => {
      const before = stage.model.requests.length;
      instead = () => ({ text: CANARY.message, hang: 'mid' });
      const runId = await during();
      await until('the model was asked', () => stage.model.requests.length > before);
      instead = undefined;
      return runId;
    },
    close: async () => {
      for (const end of [worker.stop, api.stop, temporal.stop, postgres.stop, stage.close])
        await end();
    },
  };
}
