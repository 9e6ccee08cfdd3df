// What RETENTION_DAYS takes away of runs that ended so long ago, and what stays, on both databases.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { deleteOldKeys, deleteOldRuns } from '../../src/store/retention.ts';
import { all, drive, person, type Bench } from './fixture.ts';

const DAYS = 7;

export function describeRetention(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const query = async (text: ReturnType<typeof sql>) =>
    (await text.execute(bench().db.kysely)).rows;
  const longAgo = (runId: string) =>
    query(sql`update runs set closed_at = now() - interval '8 days' where run_id = ${runId}`);
  const deleteAll = async (): Promise<number> => {
    for (let n = 0; ;) {
      const some = await deleteOldRuns(bench().store, DAYS);
      if (some === 0) return n;
      n += some;
    }
  };
  const isThere = async (runId: string): Promise<boolean> =>
    (await query(sql`select 1 from runs where run_id = ${runId}`)).length > 0;

  describe('retention', () => {
    it('deletes a run that ended long ago, whole, and keeps its audit', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, [id]);
      await s.vote(run, person('lea'), all('REJECT'));
      await s.answers(run, 2, 'THE-ANSWER');
      await longAgo(run.runId);
      assert.ok((await deleteAll()) >= 1);
      for (const table of ['runs', 'turns', 'calls', 'decisions', 'votes', 'pauses', 'events'])
        assert.deepEqual(
          await query(sql`select 1 from ${sql.table(table)} where run_id = ${run.runId}`),
          [],
          table,
        );
      assert.deepEqual(
        await query(sql`select 1 from sessions where session_id = ${run.sessionId}::uuid`),
        [],
      );
      const audited = (await query(
        sql`select action from audit where run_id = ${run.runId} order by id`,
      )) as readonly { action: string }[];
      assert.equal(audited[0]?.action, 'run.started');
      assert.equal(audited.at(-1)?.action, 'run.deleted');
      // Temporal's part of it goes by an outbox line.
      const lines = await query(
        sql`select 1 from outbox where run_id = ${run.runId} and kind = 'DELETE'`,
      );
      assert.equal(lines.length, 1);
    });

    it('keeps what is open or younger, and the session that it is in', async () => {
      const s = step();
      const old = await s.start();
      await s.answers(old, 1, 'old');
      const young = await s.start({ sessionId: old.sessionId, agent: old.agent });
      await s.answers(young, 1, 'young');
      const paused = await s.start();
      const [id = ''] = await s.asks(paused, 1, ['send']);
      await s.pause(paused, 1, 1, [id]);
      await query(sql`update runs set created_at = now() - interval '30 days'
        where run_id in (${old.runId}, ${paused.runId})`);
      await longAgo(old.runId);
      await deleteAll();
      assert.deepEqual(await Promise.all([old, young, paused].map(({ runId }) => isThere(runId))), [
        false,
        true,
        true,
      ]);
      assert.equal((await s.read(young)).content, 'young');
      const next = await s.start({ sessionId: old.sessionId, agent: old.agent });
      assert.ok(await isThere(next.runId));
    });

    it('deletes old keys of runs that are gone, and no others', async () => {
      const s = step();
      const keyed = async () => {
        const key = { orgId: 'acme', caller: 'ada', route: 'run', agentId: 'agent' } as const;
        const run = await s.start({
          key: { ...key, target: '', key: randomUUID(), bodyHash: 'hash' },
        });
        await s.answers(run, 1, 'done');
        return run;
      };
      const [gone, kept, justDeleted] = [await keyed(), await keyed(), await keyed()];
      await query(sql`delete from runs where run_id = ${justDeleted.runId}`);
      await query(sql`update idempotency_keys set created_at = now() - interval '8 days'
        where run_id in (${gone.runId}, ${kept.runId})`);
      await longAgo(gone.runId);
      await deleteAll();
      while ((await deleteOldKeys(bench().store, DAYS)) > 0);
      assert.deepEqual(
        await query(
          sql`select run_id from idempotency_keys
            where run_id in (${gone.runId}, ${kept.runId}, ${justDeleted.runId}) order by created_at`,
        ),
        [{ run_id: kept.runId }, { run_id: justDeleted.runId }],
      );
    });
  });
}
