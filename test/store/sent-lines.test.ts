import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { acknowledgeOutboxLines, leaseOutboxLines } from '../../src/store/outbox.ts';
import { deleteSaidOutboxLines } from '../../src/store/retention.ts';
import { startedRun } from '../../src/store/runs/open-runs.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { drive, openBench, type Bench } from './fixture.ts';

describe('lines to Temporal that were sent', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  const said = ({ runId }: NewRun) =>
    bench.store.asReconciler(async (tx) => {
      const lines = await leaseOutboxLines(tx, runId, 10, randomUUID());
      await acknowledgeOutboxLines(
        tx,
        lines.map((line) => line.id),
      );
      await sql`update outbox set acknowledged_at = now() - interval '2 hours' where run_id = ${runId} and acknowledged_at is not null`.execute(
        tx.db,
      );
    });
  const ended = ({ runId }: NewRun, ago: string) =>
    sql`update runs set status = 'COMPLETED', closed_at = now() - ${ago}::interval where run_id = ${runId}`.execute(
      bench.db.kysely,
    );
  const left = async ({ runId }: NewRun): Promise<number> =>
    (await sql`select 1 from outbox where run_id = ${runId}`.execute(bench.db.kysely)).rows.length;

  it('are deleted an hour after the end of their run, and never while it is open or a line waits', async () => {
    const step = drive(bench.store);
    const [old, young, open, unsaid] = [
      ...[await step.start(), await step.start(), await step.start(), await step.start()],
    ] as [NewRun, NewRun, NewRun, NewRun];
    for (const run of [old, young, open]) await said(run);
    await ended(old, '2 hours');
    await ended(unsaid, '2 hours');
    await ended(young, '1 minute');
    assert.equal(await deleteSaidOutboxLines(bench.store), 1);
    assert.deepEqual(await Promise.all([old, young, open, unsaid].map(left)), [0, 1, 1, 1]);
    assert.notEqual(
      await bench.store.asReconciler((tx) => startedRun(tx, open.runId)),
      undefined,
      'the reconciler still knows that it was started',
    );
    assert.equal(await deleteSaidOutboxLines(bench.store), 0);
  });
});
