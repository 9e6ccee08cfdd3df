// Each lock by itself, on PostgreSQL: one transaction holds the row and stays open, the other has
// to wait for it. Without its lock it would go through, on what it read before.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Work } from '../../src/store/database/access.ts';
import { checkClaim, type ClaimedCall } from '../../src/store/calls/calls.ts';
import { readPause } from '../../src/store/calls/decisions.ts';
import { leaseOutboxLines } from '../../src/store/outbox.ts';
import { cancelRun } from '../../src/store/runs/continue-run.ts';
import { lockRun, releaseStranded, startRun, type NewRun } from '../../src/store/runs/runs.ts';
import type { Viewer } from '../../src/store/queries/visibility.ts';
import { deleteSession } from '../../src/store/runs/sessions.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { recordReply } from '../../src/store/turns/replies.ts';
import { until } from '../rig/wait.ts';
import { all, drive, onPostgres, person } from './fixture.ts';

describe('locks on PostgreSQL', () => {
  const on = onPostgres();
  const step = () => drive(on.bench.store);

  /** `work` was done and its transaction is open until the function that comes back is called. */
  async function held<T>(work: Work<T>): Promise<() => Promise<T>> {
    let go = (): void => undefined;
    const released = new Promise<void>((resolve) => (go = resolve));
    let done = (): void => undefined;
    const worked = new Promise<void>((resolve) => (done = resolve));
    const ended = on.bench.store.asReconciler(async (tx) => {
      const result = await work(tx);
      done();
      await released;
      return result;
    });
    await Promise.race([worked, ended]);
    return () => (go(), ended);
  }
  const waiting = async (): Promise<boolean> =>
    (
      await sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
        on.bench.db.kysely,
      )
    ).rows.length > 0;

  /** What came of the second one, which began while the first was open; it must have waited. */
  async function behind<T>(first: Work<unknown>, second: () => Promise<T>): Promise<T> {
    const release = await held(first);
    let over = false;
    const result = second().finally(() => (over = true));
    result.catch(() => undefined);
    try {
      await until('it waits, or is done', async () => over || (await waiting()), 2000, 5);
      assert.equal(over, false, 'it did not wait for who has the row');
    } finally {
      await release();
    }
    return result;
  }

  async function claimed(): Promise<{ run: NewRun; callId: string; call: ClaimedCall }> {
    const run = await step().start();
    const [callId = ''] = await step().asks(run, 1, ['look']);
    const claim = await step().claim(run, callId);
    assert.equal(claim.kind, 'DISPATCH');
    return { run, callId, call: claim.kind === 'DISPATCH' ? claim.call : assert.fail() };
  }
  async function paused(): Promise<{ run: NewRun; callId: string }> {
    const run = await step().start();
    const [callId = ''] = await step().asks(run, 1, ['send']);
    await step().pause(run, 1, 1, [callId]);
    return { run, callId };
  }
  const lockOf = (run: NewRun): Work<unknown> => {
    return (tx) => lockRun(tx, run.runId);
  };
  const lockOfSession = (run: NewRun): Work<unknown> => {
    return (tx) =>
      sql`select 1 from sessions where session_id = ${run.sessionId} for no key update`.execute(
        tx.db,
      );
  };

  describe('a change of a run waits for the transaction that has its row', () => {
    it('a vote', async () => {
      const { run } = await paused();
      await behind(lockOf(run), () => step().vote(run, person('lea'), all('APPROVE')));
    });
    it('a pause', async () => {
      const run = await step().start();
      const calls = await step().asks(run, 1, ['send']);
      await behind(lockOf(run), () => step().pause(run, 1, 1, calls));
    });
    it('what a pause has come to', async () => {
      const { run } = await paused();
      await behind(lockOf(run), () =>
        on.bench.store.asWorker(async (tx) => {
          const locked = await lockRun(tx, run.runId);
          return locked && readPause(tx, locked, step().pauseId(run, 1, 1));
        }),
      );
    });
    it('a claim, its last look and its outcome', async () => {
      const { run, callId, call } = await claimed();
      await behind(lockOf(run), () => step().claim(run, callId));
      await behind(lockOf(run), () =>
        on.bench.store.asWorker((tx) => checkClaim(tx, run.runId, callId, call)),
      );
      await behind(lockOf(run), () => step().record(run, callId, 1));
    });
    it('a turn that begins, and its reply', async () => {
      const run = await step().start();
      const id = randomUUID();
      await behind(lockOf(run), () =>
        on.bench.store.asWorker((tx) => beginTurn(tx, run.runId, 1, id)),
      );
      const reply = { kind: 'ANSWER', text: 'a', reasoning: '', model: 'm', calls: [] } as const;
      const usage = { promptTokens: 1, completionTokens: 1, estimated: false };
      await behind(lockOf(run), () =>
        on.bench.store.asWorker((tx) =>
          recordReply(tx, run.runId, 1, id, { ...reply, finishReason: 'stop' }, usage),
        ),
      );
    });
    it('an end', async () => {
      const run = await step().start();
      await behind(lockOf(run), () => step().cancel(run));
    });
  });

  it('nothing is claimed by who waited for a cancel', async () => {
    const run = await step().start();
    const [callId = ''] = await step().asks(run, 1, ['look']);
    const claim = await behind(
      (tx) => cancelRun(tx, run.runId, 'ada'),
      () => step().claim(run, callId),
    );
    assert.equal(claim.kind, 'ENDED');
  });

  describe("a session's lock", () => {
    it('an end that comes while the next run is being stored waits for it and starts it', async () => {
      const first = await step().start();
      const next: NewRun = { ...first, runId: `${first.runId}n`, input: 'next' };
      await behind(
        (tx) => startRun(tx, next),
        () => step().answers(first, 1, 'done'),
      );
      const lines = await on.bench.store.asReconciler((tx) =>
        leaseOutboxLines(tx, next.runId, 9, randomUUID()),
      );
      assert.deepEqual(
        lines.map((line) => line.message.kind),
        ['START'],
        'not QUEUED for ever',
      );
    });
    it('a start that comes while the run before it ends waits for that and starts at once', async () => {
      const first = await step().start();
      const next: NewRun = { ...first, runId: `${first.runId}n`, input: 'next' };
      const started = await behind(
        (tx) => cancelRun(tx, first.runId, 'ada'),
        () => on.bench.store.asOrg(next.orgId, (tx) => startRun(tx, next)),
      );
      assert.deepEqual(started, { kind: 'STARTED', runId: next.runId, released: true });
    });
    it('a deletion waits for a start, finds it, and deletes nothing', async () => {
      const first = await step().start();
      await step().answers(first, 1, 'done');
      const next: NewRun = { ...first, runId: `${first.runId}n`, input: 'next' };
      const viewer: Viewer = {
        ...{ orgId: 'acme', subject: 'ada', scopes: new Set<string>() },
        ...{ roles: [], service: false },
      };
      const deleted = await behind(
        (tx) => startRun(tx, next),
        () =>
          on.bench.store.asOrg('acme', (tx) =>
            deleteSession(tx, viewer, { sessionId: first.sessionId }),
          ),
      );
      assert.deepEqual(deleted, { kind: 'OPEN', runIds: [next.runId] });
    });
    it('the release of a queued run that was lost waits too', async () => {
      const first = await step().start();
      const next = await step().start({ sessionId: first.sessionId, agent: first.agent });
      await sql`update runs set status = 'COMPLETED' where run_id = ${first.runId}`.execute(
        on.bench.db.kysely,
      );
      const released = await behind(lockOfSession(first), () =>
        on.bench.store.asReconciler((tx) => releaseStranded(tx, [next.runId])),
      );
      assert.deepEqual(released, [next.runId]);
    });
  });
});
