import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { LOOK_AGAIN_AFTER_MS } from '../../src/temporal/absences.ts';
import {
  createReconciler,
  type Reconciler,
  type ReconcilerDeps,
} from '../../src/temporal/reconciler.ts';
import { acknowledgeOutboxLines, leaseOutboxLines } from '../../src/store/outbox.ts';
import { retryRun } from '../../src/store/runs/retry.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { until } from '../rig/wait.ts';
import { all, drive, openBench, person, type Bench } from '../store/fixture.ts';
import { scriptedGateway, scriptedWorkflows } from './scripted.ts';

const LOOK_EVERY_MS = 20;

describe('the reconciler', () => {
  let bench: Bench;
  let reconcilers: Reconciler[] = [];
  before(async () => {
    bench = await openBench();
  });
  afterEach(async () => {
    await Promise.all(reconcilers.map((one) => one.stop()));
    reconcilers = [];
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

  it('an open workflow says nothing of its run', async () => {
    const { reconciler, statuses } = opened();
    const run = await started();
    for (const status of ['RUNNING', 'PAUSED', 'CONTINUED_AS_NEW']) {
      statuses.set(run.runId, status);
      await reconciler.compare(run.runId);
      assert.equal(await end(run), 'QUEUED');
    }
  });

  it('compares the same few runs in one look of three, and none where the record has none open', async () => {
    const run = await started();
    await aged(run);
    const script = scriptedWorkflows();
    script.statuses.set(run.runId, 'RUNNING');
    let isDue = false;
    opened(script, { isDue: () => isDue });
    await sleep(15 * LOOK_EVERY_MS);
    assert.deepEqual([script.asked, script.looks], [[], []]);
    isDue = true;
    await until('thirty looks', () => script.looks.length >= 30);
    assert.ok(script.asked.length >= 1 && script.asked.length <= 12, `${script.asked.length}`);
  });

  it('does not take the end of a failed execution for that of the one that took its run up', async () => {
    const run = await started();
    const fail = () =>
      bench.store.asWorker((tx) =>
        settle(
          tx,
          run.runId,
          { kind: 'FAILED', failure: { code: 'INTERNAL', message: 'x' } },
          'test',
        ),
      );
    const retry = async () => {
      await fail();
      const retryId = randomUUID();
      await bench.store.asOrg('acme', (tx) =>
        retryRun(tx, { runId: run.runId, by: 'ada', retryId }),
      );
    };
    await retry();
    const before = opened();
    before.statuses.set(run.runId, 'FAILED');
    await before.reconciler.compare(run.runId);
    assert.equal(await end(run), 'QUEUED', 'its start is on its way');
    await acknowledged(run);
    // Taken up once more, and that start taken, while Temporal is being asked about the one before.
    const script = scriptedWorkflows();
    const meanwhile = opened({
      ...script,
      workflows: {
        ...script.workflows,
        look: async () => {
          await retry();
          await acknowledged(run);
          return { status: 'FAILED', idleSince: undefined, busy: false };
        },
      },
    });
    await meanwhile.reconciler.compare(run.runId);
    assert.equal(await end(run), 'QUEUED');
  });

  it('a run whose workflow was cancelled from outside is cancelled, one that was terminated has failed', async () => {
    const { reconciler, statuses, released } = opened();
    for (const [status, is] of [
      ['CANCELLED', 'CANCELLED'],
      ['TERMINATED', 'FAILED TERMINATED'],
    ] as const) {
      const run = await started();
      statuses.set(run.runId, status);
      await reconciler.compare(run.runId);
      assert.equal(await end(run), is);
    }
    assert.equal(released(), 2);
  });

  it('nothing is concluded where the start was not acknowledged, or Temporal does not answer', async () => {
    const { reconciler, away } = opened();
    const unsent = await step().start();
    // Another line of it that was taken says nothing of its start.
    await sql`insert into outbox (run_id, org_id, line_key, kind, payload, acknowledged_at)
      values (${unsent.runId}, 'acme', ${`${unsent.runId} other`}, 'CANCEL', '{"kind":"CANCEL"}', now())`.execute(
      bench.db.kysely,
    );
    await reconciler.compare(unsent.runId);
    assert.equal(await end(unsent), 'QUEUED');
    const run = await started();
    away(true);
    await reconciler.compare(run.runId);
    assert.equal(await end(run), 'QUEUED');
  });

  it('an end that is in the record is left as it is', async () => {
    const { reconciler, statuses, released } = opened();
    const run = await started();
    await step().answers(run, 1, 'done');
    statuses.set(run.runId, 'TERMINATED');
    await reconciler.compare(run.runId);
    assert.equal(await end(run), 'COMPLETED');
    assert.equal(released(), 0);
  });

  it("the end that it writes starts the session's next run", async () => {
    const { reconciler, statuses } = opened();
    const run = await started();
    const next = await step().start({ sessionId: run.sessionId, agent: run.agent });
    statuses.set(run.runId, 'TERMINATED');
    await reconciler.compare(run.runId);
    const lines = await bench.store.asReconciler((tx) =>
      leaseOutboxLines(tx, next.runId, 10, randomUUID()),
    );
    assert.deepEqual(
      lines.map((line) => line.message.kind),
      ['START'],
    );
  });

  it("looks at what closed by Temporal's clock, whatever its own says, 30 s back, and makes up for looks that failed", async () => {
    const script = scriptedWorkflows();
    for (const skewMs of [-60_000, 60_000]) {
      const run = await started();
      script.statuses.set(run.runId, 'TERMINATED');
      script.closed.set(run.runId, new Date(Date.now() + skewMs));
      const before = script.looks.length;
      script.away(true);
      const { looks } = opened(script);
      await until('two failed looks', () => looks.length > before + 1, 10_000, 5);
      script.away(false);
      await until('it is seen', async () => (await end(run)) === 'FAILED TERMINATED', 10_000, 5);
      const seen = looks.length;
      await until('two more looks', () => looks.length > seen + 1, 10_000, 5);
      const newest = Math.max(...[...script.closed.values()].map((at) => at.getTime()));
      assert.equal(looks.at(-1)?.since, newest - 30_000);
      await Promise.all(reconcilers.map((one) => one.stop()));
    }
  });

  it('compares what closed with the rows that are open, and no others', async () => {
    const script = scriptedWorkflows();
    const [open, ended] = [await started(), await started()];
    await step().answers(ended, 1, 'done');
    for (const run of [open, ended]) {
      script.closed.set(run.runId, new Date());
      script.statuses.set(run.runId, 'TERMINATED');
    }
    opened(script);
    await until('it is settled', async () => (await end(open)) === 'FAILED TERMINATED', 10_000, 5);
    assert.ok(!script.asked.includes(ended.runId));
  });

  it('comes by every open run that has been still for 20 s, five at a time, round and round', async () => {
    const script = scriptedWorkflows();
    const runs: NewRun[] = [];
    for (let i = 0; i < 12; i++) runs.push(await started());
    const young = await started();
    for (const run of [...runs, young]) script.statuses.set(run.runId, 'RUNNING');
    await aged(...runs);
    opened(script);
    await until('twice round', () => script.asked.length >= 24, 10_000, 5);
    const ids = runs.map((run) => run.runId).sort();
    assert.deepEqual(script.asked.slice(0, 24), [...ids, ...ids]);
    assert.ok(!script.asked.includes(young.runId));
    const perLook = script.asked.length / script.looks.length;
    assert.ok(perLook <= 5, `${perLook} at a time`);
  });

  it('says which runs an operator holds, and that one is let go only when its workflow says so', async () => {
    const script = scriptedWorkflows();
    const [held, other] = [await started(), await started()];
    const isHeld = async (run: NewRun) => (await step().read(run)).held;
    script.statuses.set(held.runId, 'PAUSED');
    script.statuses.set(other.runId, 'RUNNING');
    const watch = bench.store.announcer.watch(held.runId);
    const changed = watch.changed(AbortSignal.timeout(10_000));
    opened(script);
    await until('it is noted', () => isHeld(held), 10_000, 5);
    await changed;
    watch.close();
    assert.equal(await isHeld(other), false);
    script.statuses.set(held.runId, 'RUNNING');
    await until('it is let go', async () => !(await isHeld(held)), 10_000, 5);
    // Ended while it was held: nobody holds it any more, whatever its workflow is.
    await step().answers(other, 1, 'done');
    script.statuses.set(other.runId, 'PAUSED');
    const looks = script.looks.length;
    await until('more looks', () => script.looks.length > looks + 5, 10_000, 5);
    assert.equal(await isHeld(other), false);
  });

  it('starts a queued run that has no run before it and was never started', async () => {
    const [first, waiting] = [await started(), await started()];
    const [lost, behind] = [
      await step().start({ sessionId: first.sessionId, agent: first.agent }),
      await step().start({ sessionId: waiting.sessionId, agent: waiting.agent }),
    ];
    // As a session whose lock was not taken would leave it.
    await sql`update runs set status = 'COMPLETED', closed_at = now() where run_id = ${first.runId}`.execute(
      bench.db.kysely,
    );
    await aged(lost, behind);
    const script = scriptedWorkflows();
    script.statuses.set(waiting.runId, 'RUNNING');
    const { released } = opened(script);
    const starts = async (run: NewRun): Promise<number> =>
      (
        await sql`select 1 from outbox where run_id = ${run.runId} and kind = 'START'`.execute(
          bench.db.kysely,
        )
      ).rows.length;
    await until('it is told to start', async () => (await starts(lost)) === 1, 10_000, 5);
    await until('and said so', () => released() === 1, 10_000, 5);
    const looks = script.looks.length;
    await until('more looks', () => script.looks.length > looks + 5, 10_000, 5);
    assert.equal(await starts(behind), 0, 'one that waits for another is left waiting');
    assert.equal(released(), 1, 'told once');
  });

  describe('where Temporal does not know a workflow', () => {
    const alone = async (run: NewRun, more: Partial<ReconcilerDeps> = {}) => {
      const made = opened(undefined, more);
      await made.reconciler.compare(run.runId);
      return made;
    };

    it('looks twice, with time in between, before it concludes anything', async () => {
      const run = await acted();
      const { reconciler, later, statuses } = await alone(run);
      later(LOOK_AGAIN_AFTER_MS - 1000);
      await reconciler.compare(run.runId);
      assert.equal(await end(run), 'RUNNING');
      statuses.set(run.runId, 'RUNNING');
      await reconciler.compare(run.runId);
      statuses.delete(run.runId);
      later();
      await reconciler.compare(run.runId);
      assert.equal(await end(run), 'RUNNING', 'it was there in between');
      later();
      await reconciler.compare(run.runId);
      assert.equal(await end(run), 'FAILED TERMINATED');
    });

    it('starts a run again of which nothing went out, and ends one of which something did', async () => {
      const [fresh, done] = [await started(), await acted()];
      const { reconciler, later, released } = await alone(fresh);
      await reconciler.compare(done.runId);
      later();
      for (const run of [fresh, done]) await reconciler.compare(run.runId);
      assert.equal(await end(fresh), 'QUEUED');
      assert.deepEqual(await startsOf(fresh), [null], 'the same start, to be sent once more');
      assert.equal(await end(done), 'FAILED TERMINATED');
      assert.equal(released(), 2);
      const lines = await bench.store.asReconciler((tx) =>
        leaseOutboxLines(tx, fresh.runId, 10, randomUUID()),
      );
      assert.equal(lines.length, 1);
    });

    it('ends one that it may have forgotten after its retention: what it did cannot be known', async () => {
      const run = await started();
      const { reconciler, later } = await alone(run, { retentionMs: 0 });
      later();
      await reconciler.compare(run.runId);
      assert.equal(await end(run), 'FAILED TERMINATED');
    });

    it('concludes nothing where it knows hardly any, and says so loudly', async () => {
      const runs: NewRun[] = [];
      for (let i = 0; i < 5; i++) runs.push(await acted());
      const { reconciler, later, statuses, loud } = opened();
      const [there] = runs;
      statuses.set(there?.runId ?? '', 'RUNNING');
      const compareAll = async (): Promise<void> => {
        for (const run of runs) await reconciler.compare(run.runId);
      };
      await compareAll();
      later();
      await compareAll();
      for (const run of runs) assert.equal(await end(run), 'RUNNING');
      assert.match(loud.join(), /^[^]*does not know 4 of 5 open runs[^]*$/);
      for (const run of runs.slice(0, 3)) statuses.set(run.runId, 'RUNNING');
      await compareAll();
      later();
      await compareAll();
      assert.deepEqual(await Promise.all(runs.map(end)), [
        ...['RUNNING', 'RUNNING', 'RUNNING', 'FAILED TERMINATED', 'FAILED TERMINATED'],
      ]);
    });

    it('concludes it of all that began before an operator confirmed that Temporal is another one', async () => {
      const runs: NewRun[] = [];
      for (let i = 0; i < 4; i++) runs.push(await acted());
      const since = new Date(Date.now() + 1000);
      const { reconciler, later } = opened(undefined, { since });
      for (const run of runs) await reconciler.compare(run.runId);
      later();
      for (const run of runs) {
        await reconciler.compare(run.runId);
        assert.equal(await end(run), 'FAILED TERMINATED');
      }
    });

    it('believes nothing of a Temporal that is not the one it met', async () => {
      const run = await acted();
      const check = () => Promise.reject(new Error('another Temporal'));
      const identity = { check, invalidate: () => undefined };
      const { reconciler, statuses, closed, looks } = await alone(run, { identity });
      statuses.set(run.runId, 'TERMINATED');
      closed.set(run.runId, new Date());
      await reconciler.compare(run.runId);
      await new Promise((done) => setTimeout(done, 5 * LOOK_EVERY_MS));
      assert.equal(await end(run), 'RUNNING');
      assert.deepEqual(looks, []);
    });
  });

  describe('where Temporal is behind the record', () => {
    async function decided(): Promise<{ run: NewRun; pauseId: string }> {
      const run = await started();
      const callIds = await step().asks(run, 1, ['send']);
      await step().pause(run, 1, 1, callIds);
      await step().vote(run, person('lea'), all('APPROVE'));
      return { run, pauseId: step().pauseId(run, 1, 1) };
    }

    it('wakes a workflow that waits for what is decided, the second time as the first release did', async () => {
      const { run, pauseId } = await decided();
      const { reconciler, statuses, idleSince, of } = opened();
      statuses.set(run.runId, 'RUNNING');
      idleSince.set(run.runId, new Date(0));
      await reconciler.compare(run.runId);
      assert.deepEqual(of(run.runId), [`SIGNAL ${pauseId}`]);
      await reconciler.compare(run.runId);
      assert.deepEqual(of(run.runId).slice(1), [`SIGNAL AS BEFORE ${pauseId}`]);
      idleSince.delete(run.runId);
      await reconciler.compare(run.runId);
      assert.equal(of(run.runId).length, 2, 'one that does not wait is left alone');
    });

    it('wakes one that waits for an earlier pause, and none that waits for the one that is open', async () => {
      const { run } = await decided();
      const callIds = await step().asks(run, 2, ['pay']);
      await step().pause(run, 2, 1, callIds);
      const { rows } = await sql<{ opened_at: Date }>`
        select opened_at from pauses where run_id = ${run.runId} and closed_at is null`.execute(
        bench.db.kysely,
      );
      const { reconciler, statuses, idleSince, of } = opened();
      statuses.set(run.runId, 'RUNNING');
      idleSince.set(run.runId, rows[0]?.opened_at ?? assert.fail());
      await reconciler.compare(run.runId);
      assert.deepEqual(of(run.runId), []);
      idleSince.set(run.runId, new Date(0));
      await reconciler.compare(run.runId);
      assert.equal(of(run.runId).length, 1);
    });

    it('leads a workflow whose run has ended to that end: woken, cancelled, and terminated if it stays', async () => {
      const [done, cancelled, busy, open] = [
        ...[await started(), await started(), await started(), await started()],
      ] as [NewRun, NewRun, NewRun, NewRun];
      for (const run of [done, busy]) await step().answers(run, 1, 'done');
      await step().cancel(cancelled);
      await sql`update runs set closed_at = now() - interval '1 minute' where closed_at is not null`.execute(
        bench.db.kysely,
      );
      await acknowledged(cancelled);
      const script = scriptedWorkflows();
      for (const run of [done, cancelled, busy, open]) script.statuses.set(run.runId, 'RUNNING');
      script.busy.add(busy.runId);
      script.open.push([done.runId, open.runId], [cancelled.runId, busy.runId]);
      const { of } = opened(script, { walkEveryMs: 5 * LOOK_EVERY_MS });
      await until('both were told twice', () => of(cancelled.runId).length >= 2, 10_000, 5);
      assert.deepEqual(of(done.runId).slice(0, 2), ['SIGNAL ', 'TERMINATE']);
      assert.deepEqual(of(cancelled.runId).slice(0, 2), ['CANCEL', 'TERMINATE']);
      assert.deepEqual([of(busy.runId), of(open.runId)], [[], []]);
    });

    it('takes a completion from the workflow where the record has the answer, else says what is lost', async () => {
      const [whole, lost] = [await started(), await started()];
      await step().answers(whole, 1, 'done');
      await sql`update runs set status = 'RUNNING', closed_at = null, content = '' where run_id = ${whole.runId}`.execute(
        bench.db.kysely,
      );
      const { reconciler, statuses } = opened();
      for (const run of [whole, lost]) statuses.set(run.runId, 'COMPLETED');
      for (const run of [whole, lost]) await reconciler.compare(run.runId);
      assert.equal((await step().read(whole)).content, 'done');
      assert.deepEqual([await end(whole), await end(lost)], ['COMPLETED', 'FAILED RECORD_LOST']);
    });
  });
});
