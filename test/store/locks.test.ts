// Each lock by itself, on PostgreSQL: one transaction holds the row and stays open, the other has
// to wait for it. Without its lock it would go through, on what it read before.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Work } from '../../src/store/database/access.ts';
import { checkClaim, claimCall, type ClaimedCall } from '../../src/store/calls/calls.ts';
import { readPause } from '../../src/store/calls/decisions.ts';
import { leaseOutboxLines } from '../../src/store/outbox.ts';
import { cancelRun } from '../../src/store/runs/continue-run.ts';
import { lockRun, releaseStranded, startRun, type NewRun } from '../../src/store/runs/runs.ts';
import { addGiver, createGrant } from '../../src/store/grants/grants.ts';
import { announceExpiringPauses } from '../../src/store/webhooks/expiring.ts';
import type { Viewer } from '../../src/store/queries/visibility.ts';
import { startOrWithdraw } from '../../src/store/runs/withdraw.ts';
import { deleteSession } from '../../src/store/runs/sessions.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { recordReply } from '../../src/store/turns/replies.ts';
import { until } from '../rig/wait.ts';
import { agent, all, drive, onPostgres, person, tool } from './fixture.ts';

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

  /** What the second comes to while the first is open: it must not wait for that. */
  async function beside<T>(first: Work<unknown>, second: () => Promise<T>): Promise<T> {
    const release = await held(first);
    const result = second();
    result.catch(() => undefined);
    try {
      let over = false;
      void result.finally(() => (over = true)).catch(() => undefined);
      await until('it is done', () => over, 5000, 5);
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

  it('an effect whose first call did nothing is taken over by one call: who waited for that is told so', async () => {
    const charge = tool('charge', {
      ...{ idempotent: false, approval: 'never', effectKey: 'charge:{id}' },
      input: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
    });
    const asked = async (): Promise<{ run: NewRun; callId: string }> => {
      const run = await step().start({ agent: agent({ tools: [charge] }) });
      const [callId = ''] = await step().asks(run, 1, ['charge'], '{"id":"one"}');
      return { run, callId };
    };
    const [first, second, third] = [await asked(), await asked(), await asked()];
    await step().cancel(first.run);
    const claim = { attemptId: randomUUID(), versionNow: () => undefined };
    let go = (): void => undefined;
    const released = new Promise<void>((resolve) => (go = resolve));
    let locked = false;
    // It has the name, and takes it over only when the other has asked for it too.
    const taking = on.bench.store.asReconciler(async (tx) => {
      await sql`select 1 from effects where call_id = ${first.callId} for no key update`.execute(
        tx.db,
      );
      locked = true;
      await released;
      return claimCall(tx, { ...claim, runId: second.run.runId, callId: second.callId });
    });
    await until('it is locked', () => locked, 5000, 5);
    const waits = step().claim(third.run, third.callId);
    await until('the other waits', waiting, 5000, 5);
    go();
    assert.equal((await taking).kind, 'DISPATCH');
    const late = await waits;
    assert.equal(late.kind, 'EFFECT_WAITS');
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
    it('a message that takes calls back waits, and goes to the run that is paused, not to one before it', async () => {
      const first = await step().start();
      await step().answers(first, 1, 'done');
      const second = await step().start({ sessionId: first.sessionId, agent: first.agent });
      await step().pause(second, 1, 1, await step().asks(second, 1, ['send']));
      const message: NewRun = { ...first, runId: `${first.runId}n`, onPaused: 'withdraw' };
      const taken = await behind(lockOfSession(first), () =>
        on.bench.store.asOrg('acme', (tx) => startOrWithdraw(tx, message)),
      );
      assert.deepEqual(taken, { kind: 'WITHDREW', runId: second.runId });
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

  it('two people who give one grant at the same instant both count', async () => {
    const grantId = `grant_${randomUUID()}`;
    const by = (name: string) => ({ person: name, roles: [], service: false });
    const grant = {
      ...{ grantId, orgId: 'acme', agentId: 'a', tool: 'send', reason: 'r', definition: 'd' },
      ...{ when: 'true', maxUses: 1, quorum: 3, expiresAt: new Date(Date.now() + 3_600_000) },
    };
    const { store } = on.bench;
    await store.asOrg('acme', (tx) => createGrant(tx, grant, by('ada')));
    const given = await behind(
      (tx) => addGiver(tx, 'acme', grantId, by('lea')),
      () => store.asOrg('acme', (tx) => addGiver(tx, 'acme', grantId, by('kim'))),
    );
    assert.deepEqual([given?.by.length, given?.active], [3, true]);
  });

  describe('who looks for what is to be done leaves what another process has taken, and does not wait', () => {
    it('a line of the outbox', async () => {
      const run = await step().start();
      const lease: Work<unknown> = (tx) => leaseOutboxLines(tx, run.runId, 9, randomUUID());
      assert.deepEqual(await beside(lease, () => on.bench.store.asReconciler(lease)), []);
    });
    it('a pause that is about to expire', async () => {
      const slow = agent({ approvals: { expiresAfterMs: 1000, quorum: 1, fourEyes: false } });
      const run = await step().start({ agent: slow });
      await step().pause(run, 1, 1, await step().asks(run, 1, ['send']));
      await sql`update calls set requested_at = clock_timestamp() - interval '10 hours',
        expires_at = clock_timestamp() + interval '1 minute' where run_id = ${run.runId}`.execute(
        on.bench.db.kysely,
      );
      await beside(announceExpiringPauses, () =>
        on.bench.store.asReconciler(announceExpiringPauses),
      );
    });
  });
});
