// What every store must keep of pauses and votes, on both databases.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { readPause } from '../../src/store/calls/decisions.ts';
import { acknowledgeOutboxLines, leaseOutboxLines } from '../../src/store/outbox.ts';
import { lockRun } from '../../src/store/runs/runs.ts';
import { agent, all, drive, one, person, refusedAs, tool, type Bench } from './fixture.ts';

export function describePauses(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const lease = (runId: string | null) =>
    bench().store.asReconciler((tx) => leaseOutboxLines(tx, runId, 100, randomUUID()));

  describe('a pause', () => {
    it('written again by a repeated attempt undoes no decision', async () => {
      const s = step();
      const run = await s.start();
      const ids = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, ids);
      await s.vote(run, person('lea'), all('APPROVE'));
      const again = await s.pause(run, 1, 1, ids);
      assert.equal(again?.status, 'RUNNING');
      assert.equal((await s.read(run)).calls[0]?.state, 'APPROVED');
    });

    it('expires with the first of its own calls, whatever was decided in the one before', async () => {
      const s = step();
      const run = await s.start({
        agent: agent({ approvals: { expiresAfterMs: 600_000, quorum: 1, fourEyes: false } }),
      });
      const before = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, before);
      await s.vote(run, person('lea'), all('REJECT'));
      await sql`update calls set expires_at = clock_timestamp() - interval '1 hour'
        where run_id = ${run.runId}`.execute(bench().db.kysely);
      const closedAt = async () =>
        (
          await sql<{ closed_at: Date }>`
            select closed_at from pauses where pause_id = ${s.pauseId(run, 1, 1)}`.execute(
            bench().db.kysely,
          )
        ).rows;
      const closed = await closedAt();
      await s.pause(run, 2, 1, await s.asks(run, 2, ['send'], '{"x":2}'));
      const now = await bench().store.asWorker(async (tx) => {
        const locked = await lockRun(tx, run.runId);
        return locked && readPause(tx, locked, s.pauseId(run, 2, 1));
      });
      assert.equal(now?.open, true);
      assert.ok((now.expiresInMs ?? 0) > 300_000, `${now.expiresInMs}`);
      await s.cancel(run);
      assert.deepEqual(await closedAt(), closed, 'the one before was closed when it was');
    });

    it('of a thousand calls is told in words that Temporal keeps, and says how many it leaves out', async () => {
      const s = step();
      const run = await s.start();
      const ids = await s.asks(run, 1, Array<string>(1000).fill('send'));
      await sql`update calls set arguments = ${JSON.stringify({ a: '\u{1f469}\u202e'.repeat(300) })},
        evidence = ${'![x](http://elsewhere.test) '.repeat(100)} where run_id = ${run.runId}`.execute(
        bench().db.kysely,
      );
      const waiting = (await s.pause(run, 1, 1, ids))?.pause?.waiting ?? '';
      assert.ok(Buffer.byteLength(waiting) < 20_000, `${Buffer.byteLength(waiting)} bytes`);
      assert.match(waiting, /and 99\d more/);
      assert.ok(waiting.includes(ids[0] ?? ''));
      assert.doesNotMatch(waiting.replace(/`[^`]*`/g, ''), /!\[|\u202e/);
    });

    it('ends with its last open call, and wakes the workflow once', async () => {
      const s = step();
      const run = await s.start();
      await bench().store.asReconciler(async (tx) =>
        acknowledgeOutboxLines(
          tx,
          (await leaseOutboxLines(tx, run.runId, 10, randomUUID())).map((l) => l.id),
        ),
      );
      const [a = '', b = ''] = await s.asks(run, 1, ['send', 'pay']);
      await s.pause(run, 1, 1, [a, b]);
      await s.vote(run, person('lea'), one(a, 'APPROVE'));
      assert.equal((await s.read(run)).status, 'PAUSED');
      assert.equal((await lease(run.runId)).length, 0);
      await s.vote(run, person('lea'), one(b, 'REJECT', { reason: 'too much' }));
      assert.equal((await s.read(run)).status, 'RUNNING');
      const decisions = [
        { ...decided(a, 'send'), action: 'APPROVE' },
        { ...decided(b, 'pay'), action: 'REJECT', reason: 'too much' },
      ];
      assert.deepEqual(
        (await lease(run.runId)).map((l) => l.message),
        [{ kind: 'SIGNAL', pauseId: s.pauseId(run, 1, 1), calls: decisions }],
      );
      const outcome = await bench().store.asWorker(async (tx) =>
        readPause(tx, (await lockRun(tx, run.runId)) ?? assert.fail(), s.pauseId(run, 1, 1)),
      );
      assert.deepEqual(outcome, {
        ...{ known: true, open: false, expiresInMs: null },
        ...{ approved: [a], withdrawn: [], decisions },
      });
    });

    it('expires by the database clock, whoever comes first to see it, and the late vote is told', async () => {
      const s = step();
      const run = await s.start({
        agent: agent({ approvals: { expiresAfterMs: 30, quorum: 1, fourEyes: false } }),
      });
      const [id = ''] = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, [id]);
      await sql`select pg_sleep(0.05)`.execute(bench().db.kysely);
      await assert.rejects(
        s.vote(run, person('lea'), one(id, 'APPROVE')),
        refusedAs('ALREADY_DECIDED'),
      );
      const record = await s.read(run);
      assert.deepEqual(
        [
          record.status,
          record.calls[0]?.state,
          record.calls[0]?.decision?.by,
          record.calls[0]?.decision?.reason,
        ],
        ['RUNNING', 'REJECTED', ['expiry'], 'expired'],
      );
    });

    it("an approver's edit runs instead, and both versions stay", async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, [id]);
      await s.vote(run, person('lea'), one(id, 'APPROVE', { arguments: { x: 9 } }));
      const claim = await s.claim(run, id);
      assert.equal(claim.kind === 'DISPATCH' && claim.call.arguments, '{"x":9}');
      assert.equal((await s.read(run)).calls[0]?.decision?.proposedArguments, '{"x":1}');
    });

    it('closes with the run: what was open is never run, a vote that came before is recorded as not executed', async () => {
      const s = step();
      const run = await s.start();
      const [a = '', b = ''] = await s.asks(run, 1, ['send', 'pay']);
      await s.pause(run, 1, 1, [a, b]);
      await s.vote(run, person('lea'), one(a, 'APPROVE'));
      await s.cancel(run);
      assert.deepEqual(
        (await s.read(run)).calls.map((c) => c.state),
        ['CLOSED', 'CLOSED'],
      );
      assert.equal((await s.claim(run, a)).kind, 'ENDED');
      await assert.rejects(s.vote(run, person('lea'), one(b, 'APPROVE')), refusedAs('NOT_PAUSED'));
    });
  });

  it('that the record has forgotten is told as not opened, and is opened again by the same settling', async () => {
    const s = step();
    const run = await s.start();
    const ids = await s.asks(run, 1, ['send']);
    const look = () =>
      bench().store.asWorker(async (tx) =>
        readPause(tx, (await lockRun(tx, run.runId)) ?? assert.fail(), s.pauseId(run, 1, 1)),
      );
    assert.equal((await look()).known, false);
    assert.equal((await s.pause(run, 1, 1, ids))?.status, 'PAUSED');
    assert.deepEqual([(await look()).known, (await look()).open], [true, true]);
  });

  it('without a call that waits is not written', async () => {
    const s = step();
    const run = await s.start();
    const ids = await s.asks(run, 1, ['note']);
    const settled = await s.pause(run, 1, 1, ids, 'OUTCOME_UNKNOWN');
    assert.deepEqual([settled?.status, settled?.nothingWaits], ['RUNNING', true]);
    assert.equal((await s.read(run)).pauseId, null);
  });

  it('high risk, quorum and four eyes hold in the store itself', async () => {
    const s = step();
    const strict = agent({
      tools: [tool('send', { risk: 'high' })],
      approvals: { expiresAfterMs: null, quorum: 2, fourEyes: true },
    });
    const run = await s.start({ agent: strict });
    const [id = ''] = await s.asks(run, 1, ['send']);
    await s.pause(run, 1, 1, [id]);
    const hash = (await s.read(run)).calls[0]?.argumentsHash;
    await assert.rejects(
      s.vote(run, person('ada'), one(id, 'APPROVE', { argumentsHash: hash })),
      refusedAs('FORBIDDEN'),
    );
    await assert.rejects(s.vote(run, person('lea'), all('APPROVE')), refusedAs('CALL_ID_REQUIRED'));
    await s.vote(run, person('lea'), one(id, 'APPROVE', { argumentsHash: hash }));
    await s.vote(run, person('lea'), one(id, 'APPROVE', { argumentsHash: hash }));
    assert.equal((await s.read(run)).status, 'PAUSED', 'one person twice is one voice');
    await s.vote(run, person('max'), one(id, 'APPROVE', { argumentsHash: hash }));
    assert.deepEqual((await s.read(run)).calls[0]?.decision?.by, ['lea', 'max']);
  });
}

const decided = (callId: string, tool: string) => ({ callId, tool, by: ['lea'], via: 'API' });
