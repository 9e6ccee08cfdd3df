// What every store must keep of a run's end and of its record afterwards, on both databases.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { deleteOldEvents } from '../../src/store/retention.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { drive, type Bench } from './fixture.ts';

export function describeEnds(bench: () => Bench): void {
  const step = () => drive(bench().store);

  describe('the end', () => {
    it('is written once: the first one counts', async () => {
      const s = step();
      const run = await s.start();
      await s.answers(run, 1, 'done');
      await s.cancel(run);
      const late = await bench().store.asWorker((tx) =>
        settle(
          tx,
          run.runId,
          { kind: 'FAILED', failure: { code: 'INTERNAL', message: 'x' } },
          'test',
        ),
      );
      assert.equal(late?.status, 'COMPLETED');
      assert.equal((await s.read(run)).content, 'done');
    });

    it('retention deletes the events of runs that ended long ago, and nothing else', async () => {
      const s = step();
      const [old, young] = [await s.start(), await s.start()];
      for (const run of [old, young]) await s.answers(run, 1, 'done');
      await sql`update runs set closed_at = now() - interval '8 days' where run_id = ${old.runId}`.execute(
        bench().db.kysely,
      );
      assert.equal(await deleteOldEvents(bench().store, 7), 1);
      const { rows } = await sql<{
        run_id: string;
      }>`select distinct run_id from events where run_id in (${old.runId}, ${young.runId})`.execute(
        bench().db.kysely,
      );
      assert.deepEqual(rows, [{ run_id: young.runId }]);
      assert.equal((await s.read(old)).content, 'done');
    });

    it('the events are counted without a gap', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['look']);
      await s.claim(run, id);
      await s.record(run, id, 1);
      await s.answers(run, 2, 'done');
      const { rows } = await sql<{
        seq: number;
        kind: string;
      }>`select seq, kind from events where run_id = ${run.runId} order by seq`.execute(
        bench().db.kysely,
      );
      assert.deepEqual(
        rows.map((r) => r.seq),
        rows.map((_, i) => i + 1),
      );
      assert.deepEqual(
        rows.map((r) => r.kind),
        ['START', 'ATTEMPT', 'TOOL_START', 'TOOL_END', 'ATTEMPT', 'STOP'],
      );
    });
  });
}
