// One reconciler over a scripted Temporal and a real store, for a suite of tests.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { LOOK_AGAIN_AFTER_MS } from '../../src/temporal/absences.ts';
import {
  createReconciler,
  type Reconciler,
  type ReconcilerDeps,
} from '../../src/temporal/reconciler.ts';
import { acknowledgeOutboxLines, leaseOutboxLines } from '../../src/store/outbox.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { drive, openBench, type Bench } from '../store/fixture.ts';
import { scriptedGateway, scriptedWorkflows } from './scripted.ts';

export const LOOK_EVERY_MS = 20;

/** Registers its hooks with the suite that calls it. */
export function reconcilerRig() {
  let bench: Bench;
  let reconcilers: Reconciler[] = [];
  before(async () => {
    bench = await openBench();
  });
  afterEach(async () => {
    await stopAll();
    await sql`truncate runs cascade`.execute(bench.db.kysely);
    await sql`truncate outbox`.execute(bench.db.kysely);
  });
  after(() => bench.close());

  const step = () => drive(bench.store);
  /** Temporal has had everything that was to be said of these runs. */
  const acknowledged = (...runs: readonly NewRun[]) =>
    bench.store.asReconciler(async (tx) => {
      for (const { runId } of runs)
        await acknowledgeOutboxLines(
          tx,
          (await leaseOutboxLines(tx, runId, 10, randomUUID())).map((line) => line.id),
        );
    });
  const aged = (...runs: readonly NewRun[]) =>
    sql`update runs set updated_at = now() - interval '1 minute'
      where run_id = any(${runs.map((run) => run.runId)})`.execute(bench.db.kysely);
  async function started(): Promise<NewRun> {
    const run = await step().start();
    await acknowledged(run);
    return run;
  }
  function opened(script = scriptedWorkflows(), more: Partial<ReconcilerDeps> = {}) {
    let released = 0;
    let late = 0;
    const gateway = scriptedGateway();
    const loud: string[] = [];
    const reconciler = createReconciler({
      store: bench.store,
      workflows: script.workflows,
      gateway: gateway.gateway,
      identity: { check: () => Promise.resolve(), invalidate: () => undefined },
      since: new Date(0),
      retentionMs: 86_400_000,
      onReleased: () => released++,
      log: { warn: () => undefined, error: (_, line) => loud.push(line) },
      lookEveryMs: LOOK_EVERY_MS,
      clock: () => performance.now() + late,
      ...more,
    });
    reconcilers.push(reconciler);
    const later = (ms = LOOK_AGAIN_AFTER_MS + 1) => (late += ms);
    return { ...script, of: gateway.of, loud, later, reconciler, released: () => released };
  }
  const startsOf = async ({ runId }: NewRun): Promise<readonly (Date | null)[]> =>
    (
      await sql<{ acknowledged_at: Date | null }>`
        select acknowledged_at from outbox where run_id = ${runId} and kind = 'START'`.execute(
        bench.db.kysely,
      )
    ).rows.map((row) => row.acknowledged_at);
  /** A run with a call that went out. */
  async function acted(): Promise<NewRun> {
    const run = await started();
    const [callId = ''] = await step().asks(run, 1, ['note']);
    const { n } = await step().goesOut(run, callId);
    await step().record(run, callId, n, { kind: 'ANSWERED', result: 'ok', isError: false });
    return run;
  }
  const end = async (run: NewRun): Promise<string> => {
    const { status, errorCode } = await step().read(run);
    return errorCode === null ? status : `${status} ${errorCode}`;
  };
  /** Those that were opened, before the end of the test. */
  const stopAll = async () => {
    await Promise.all(reconcilers.map((one) => one.stop()));
    reconcilers = [];
  };
  return {
    bench: () => bench,
    stopAll,
    step,
    acknowledged,
    aged,
    started,
    opened,
    startsOf,
    acted,
    end,
  };
}
