// What every store must keep of a run's end and of its record afterwards, on both databases.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { deleteOldEvents } from '../../src/store/retention.ts';
import { cancelAgain } from '../../src/store/runs/continue-run.ts';
import { addOutboxLine, deleteFromTemporal } from '../../src/store/outbox.ts';
import { startedRun } from '../../src/store/runs/open-runs.ts';
import { startRun } from '../../src/store/runs/runs.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { startAnew } from '../../src/store/runs/start-anew.ts';
import { agent, drive, one, person, type Bench } from './fixture.ts';

export function describeEnds(bench: () => Bench): void {
  const step = () => drive(bench().store);
  it('a start that Temporal has lost is sent again, whatever was sent after it', async () => {
    const s = step();
    const run = await s.start();
    await bench().store.asReconciler(async (tx) => {
      addOutboxLine(tx, run.orgId, run.runId, { kind: 'SIGNAL', pauseId: 'p', calls: [] });
    });
    await sql`update outbox set acknowledged_at = clock_timestamp() where run_id = ${run.runId}`.execute(
      bench().db.kysely,
    );
    await bench().store.asReconciler(async (tx) => {
      const found = await startedRun(tx, run.runId);
      await startAnew(tx, run.runId, found?.takenAt ?? assert.fail());
    });
    assert.deepEqual(await linesOf(run.runId), [
      { kind: 'START', taken: false },
      { kind: 'SIGNAL', taken: true },
    ]);
  });

  const linesOf = async (runId: string) =>
    (
      await sql<{ kind: string; taken: boolean }>`
        select kind, acknowledged_at is not null as taken from outbox where run_id = ${runId}
        order by id`.execute(bench().db.kysely)
    ).rows;

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

    it('says its tokens and the beginning of the first line, of a repeated one too, and no more', async () => {
      const s = step();
      const shownOf = async (text: string, more: Parameters<typeof agent>[0] = {}) => {
        const run = await s.start({ agent: agent(more) });
        const settled = await s.answers(run, 1, text);
        const again = await bench().store.asWorker((tx) =>
          settle(tx, run.runId, { kind: 'COMPLETED', turn: 1 }, 'test'),
        );
        assert.deepEqual(again, settled);
        return settled?.shown;
      };
      const tokens = 11;
      assert.deepEqual(await shownOf('\n  # Paid  \r\nand more'), { tokens, answer: '# Paid' });
      assert.deepEqual(await shownOf('a\u202eb'), { tokens, answer: 'a\\u{202e}b' });
      assert.deepEqual(await shownOf('😀'.repeat(250)), { tokens, answer: `${'😀'.repeat(200)}…` });
      // What it has read is nobody's in Temporal.
      assert.deepEqual(await shownOf('The code is 7.', { knowledge: ['handbook'] }), { tokens });
      assert.deepEqual(await shownOf('You are Ada.', { memory: 'user' }), { tokens });
    });

    it('of a deleted run no line keeps words of its user, nor of those who decided', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, [id]);
      await s.vote(run, person('lea'), one(id, 'REJECT', { reason: 'LEA-WROTE-THIS' }));
      await s.answers(run, 2, 'done');
      const words = async (): Promise<string> =>
        JSON.stringify(
          (
            await sql`select payload from outbox where run_id = ${run.runId}`.execute(
              bench().db.kysely,
            )
          ).rows,
        );
      assert.match(await words(), /LEA-WROTE-THIS/);
      await bench().store.asOrg(run.orgId, (tx) => deleteFromTemporal(tx, run.orgId, run.runId));
      assert.doesNotMatch(await words(), /LEA-WROTE-THIS|lea/);
      assert.match(await words(), /DELETE/);
    });

    it('of a run that is over already is not told to Temporal by a cancel', async () => {
      const s = step();
      const run = await s.start();
      await s.answers(run, 1, 'done');
      await s.cancel(run);
      assert.deepEqual(
        (await linesOf(run.runId)).map(({ kind }) => kind),
        ['START'],
      );
    });

    it('as cancelled, asked for once more, sends its cancel again and no other line', async () => {
      const s = step();
      const run = await s.start();
      await s.cancel(run);
      await sql`update outbox set acknowledged_at = clock_timestamp() where run_id = ${run.runId}`.execute(
        bench().db.kysely,
      );
      await bench().store.asWorker((tx) => cancelAgain(tx, run.runId));
      assert.deepEqual(await linesOf(run.runId), [
        { kind: 'START', taken: true },
        { kind: 'CANCEL', taken: false },
      ]);
    });

    it('of one that was never started is no start of it, played again', async () => {
      const s = step();
      const first = await s.start();
      const behind = await s.start({ sessionId: first.sessionId, agent: first.agent });
      await s.cancel(behind);
      const again = await bench().store.asOrg(behind.orgId, (tx) => startRun(tx, behind));
      assert.deepEqual(again, { kind: 'STARTED', runId: behind.runId, released: false });
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
