import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { StoreUnavailableError, type Store } from '../../src/store/database/access.ts';
import type { Viewer } from '../../src/store/queries/visibility.ts';
import { deleteSession } from '../../src/store/runs/sessions.ts';
import { workflowInput, type NewRun } from '../../src/store/runs/runs.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import type { GatewayAnswer } from '../../src/temporal/gateway.ts';
import { createOutbox, type Outbox, type OutboxDeps } from '../../src/temporal/outbox.ts';
import { atIntervals } from '../rig/at-intervals.ts';
import { until } from '../rig/wait.ts';
import { all, drive, openBench, person, type Bench } from '../store/fixture.ts';
import { scriptedGateway, type Heard, type ScriptedGateway } from './scripted.ts';

describe('the outbox', () => {
  let bench: Bench;
  let outboxes: Outbox[] = [];
  let stranger = false;
  before(async () => {
    bench = await openBench();
  });
  afterEach(async () => {
    await Promise.all(outboxes.map((outbox) => outbox.stop()));
    outboxes = [];
    stranger = false;
    await sql`delete from outbox`.execute(bench.db.kysely);
  });
  after(() => bench.close());

  /** One process; `answer` is what Temporal says to each line. */
  function opened(
    answer?: (said: Heard) => GatewayAnswer | Promise<GatewayAnswer>,
    store = bench.store,
    onDue: OutboxDeps['onDue'] = atIntervals(500),
  ) {
    const script = scriptedGateway(answer);
    const gone: string[] = [];
    const outbox = createOutbox({
      store,
      gateway: script.gateway,
      identity: {
        check: () => (stranger ? Promise.reject(new Error('a stranger')) : Promise.resolve()),
        invalidate: () => undefined,
      },
      onGone: (runId) => void gone.push(runId),
      log: { warn: () => undefined },
      onDue,
    });
    outboxes.push(outbox);
    return { ...script, outbox, gone };
  }
  /** A gateway that answers when it is told to. */
  function held() {
    const open: ((said: GatewayAnswer) => void)[] = [];
    const answer = (): Promise<GatewayAnswer> => new Promise((resolve) => void open.push(resolve));
    return { answer, open };
  }
  const lines = async (runId: string) =>
    (
      await sql<{ kind: string; done: boolean; until_ms: number | null }>`
        select kind, acknowledged_at is not null as done,
          (extract(epoch from claimed_until) * 1000)::float8 as until_ms
        from outbox where run_id = ${runId} order by id`.execute(bench.db.kysely)
    ).rows;
  const taken = async (runId: string): Promise<boolean> =>
    (await lines(runId)).every((line) => line.done);
  const leased = async (runId: string): Promise<boolean> =>
    (
      await sql`select 1 from outbox where run_id = ${runId} and claimed_until is not null`.execute(
        bench.db.kysely,
      )
    ).rows.length > 0;
  const leaseIsOver = (runId: string) =>
    sql`update outbox set claimed_until = clock_timestamp() - interval '1 millisecond'
      where run_id = ${runId} and acknowledged_at is null`.execute(bench.db.kysely);

  /** A run with a start, a wake-up and a cancel to be told; no worker has begun it. */
  async function threeLines(): Promise<{ runId: string; pauseId: string }> {
    const s = drive(bench.store);
    const run = await s.start();
    const calls = await s.asks(run, 1, ['send']);
    await s.pause(run, 1, 1, calls);
    await s.vote(run, person('lea'), all('APPROVE'));
    // A cancel withdraws a start that nobody is sending.
    await sql`update outbox set claimed_until = clock_timestamp() + interval '1 minute' where run_id = ${run.runId}`.execute(
      bench.db.kysely,
    );
    await s.cancel(run);
    await sql`update outbox set acknowledged_at = null where run_id = ${run.runId}`.execute(
      bench.db.kysely,
    );
    await leaseIsOver(run.runId);
    return { runId: run.runId, pauseId: s.pauseId(run, 1, 1) };
  }

  it('says the lines of a run in their order, each only when the one before was taken', async () => {
    const { answer, open } = held();
    const { outbox, of } = opened(answer);
    const { runId, pauseId } = await threeLines();
    const sent = outbox.send(runId);
    const order = ['START', `SIGNAL ${pauseId}`, 'CANCEL'];
    for (let n = 1; n <= order.length; n++) {
      await until(`line ${n}`, () => open.length === n, 10_000, 2);
      assert.deepEqual(of(runId), order.slice(0, n));
      open[n - 1]?.('taken');
    }
    assert.equal(await sent, true);
    await until('all acknowledged', () => taken(runId), 10_000, 5);
  });

  it('a quiet org’s start is sent after one of a loud org’s, not after all of them', async () => {
    const { answer, open } = held();
    const { outbox, heard } = opened(answer);
    const started = async (orgId: string) => (await drive(bench.store).start({ orgId })).runId;
    for (let i = 0; i < 30; i++) void outbox.send(await started('loud'));
    await until('as many are sent as may be', () => open.length === 16, 10_000, 2);
    const quiet = await started('quiet');
    void outbox.send(quiet);
    await until('it has its line', async () => await leased(quiet), 10_000, 2);
    for (let n = 0; n < 3; n++) open[n]?.('taken');
    await until('three more', () => open.length === 19, 10_000, 2);
    assert.ok(heard.some(({ runId }) => runId === quiet));
    while (open.length < 31) {
      for (const take of open) take('taken');
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const take of open) take('taken');
  });

  it('a line that was not taken is given back for a quarter of a second, and what is behind it waits', async () => {
    let refusals = 2;
    const { outbox, of } = opened(() => {
      if (refusals-- > 0) throw new Error('away');
      return 'taken';
    });
    const { runId, pauseId } = await threeLines();
    for (const [attempt, ms] of [250, 500].entries()) {
      const from = Date.now() + ms;
      assert.equal(await outbox.send(runId), false);
      const [first, ...behind] = await lines(runId);
      assert.ok(first?.done === false && first.until_ms !== null);
      assert.ok(first.until_ms >= from && first.until_ms <= Date.now() + ms);
      assert.ok(behind.every((line) => !line.done));
      assert.deepEqual(of(runId), Array(attempt + 1).fill('START'));
      await leaseIsOver(runId);
    }
    assert.equal(await outbox.send(runId), true);
    await until('all acknowledged', () => taken(runId), 10_000, 5);
    assert.deepEqual(of(runId), ['START', 'START', 'START', `SIGNAL ${pauseId}`, 'CANCEL']);
  });

  it('of a deleted run says the deletion last, and keeps no word of its user', async () => {
    const { outbox, of } = opened();
    const s = drive(bench.store);
    const run = await s.start({ input: 'My word is quince.' });
    await s.cancel(run);
    // Both are still to be told: the start was with a process that died.
    await sql`update outbox set acknowledged_at = null where run_id = ${run.runId}`.execute(
      bench.db.kysely,
    );
    const ada: Viewer = {
      ...{ orgId: run.orgId, subject: run.userId, roles: [], scopes: new Set() },
      service: false,
    };
    const { kind } = await bench.store.asOrg(run.orgId, (tx) =>
      deleteSession(tx, ada, { sessionId: run.sessionId }),
    );
    assert.equal(kind, 'DELETED');
    const { rows } = await sql`select 1 from outbox where payload::text like '%quince%'`.execute(
      bench.db.kysely,
    );
    assert.deepEqual(rows, []);
    await leaseIsOver(run.runId);
    void outbox.send(run.runId);
    await until('all acknowledged', () => taken(run.runId), 10_000, 5);
    assert.deepEqual(of(run.runId), ['START', 'CANCEL', 'DELETE']);
  });

  describe('a start that was leased as it was written', () => {
    async function leased() {
      const run = await drive(bench.store).start({ lease: randomUUID() });
      const message = { kind: 'START', input: workflowInput(run) } as const;
      return { runId: run.runId, line: { lease: run.lease ?? '', message } };
    }

    it('is sent by its process alone, at once, and acknowledged a second later', async () => {
      const [own, other] = [opened(), opened()];
      const { runId, line } = await leased();
      assert.equal(await other.outbox.send(runId), true, 'nothing is left to send');
      assert.equal(await own.outbox.send(runId, line), true);
      assert.deepEqual([own.of(runId), other.of(runId)], [['START'], []]);
      assert.equal(await taken(runId), false);
      await until('acknowledged', () => taken(runId), 10_000, 20);
      assert.deepEqual([own.of(runId), other.of(runId)], [['START'], []]);
    });

    /** Of a process that looks for nothing by itself. */
    const sleeping = () => opened(undefined, bench.store, () => () => undefined);

    it('is acknowledged by its process alone where that sends nothing else', async () => {
      const { outbox } = sleeping();
      const { runId, line } = await leased();
      assert.equal(await outbox.send(runId, line), true);
      assert.equal(await taken(runId), false);
      await until('acknowledged', () => taken(runId), 10_000, 20);
    });

    it('is acknowledged before its process has stopped', async () => {
      const { outbox } = sleeping();
      const { runId, line } = await leased();
      assert.equal(await outbox.send(runId, line), true);
      await outbox.stop();
      assert.equal(await taken(runId), true);
    });

    it('is acknowledged by the first transaction of its workflow', async () => {
      const { runId } = await leased();
      await bench.store.asWorker((tx) => beginTurn(tx, runId, 1, randomUUID()));
      assert.equal(await taken(runId), true);
    });

    it('is followed by the next line at once where its process sends that one too', async () => {
      const { outbox, of } = opened();
      const { runId, line } = await leased();
      assert.equal(await outbox.send(runId, line), true);
      await drive(bench.store).cancel({ runId, orgId: 'acme' } as NewRun);
      assert.equal(await outbox.send(runId), true);
      assert.deepEqual(of(runId), ['START', 'CANCEL']);
    });

    it('that was not taken is given back, and any process sends it', async () => {
      const failing = opened(() => {
        throw new Error('away');
      });
      const { runId, line } = await leased();
      assert.equal(await failing.outbox.send(runId, line), false);
      await failing.outbox.stop();
      const [first] = await lines(runId);
      assert.ok(first?.until_ms != null && first.until_ms <= Date.now() + 2000, 'not leased still');
      const { of } = opened();
      await until('acknowledged', () => taken(runId), 10_000, 20);
      assert.deepEqual(of(runId), ['START']);
    });

    it('of a process that died is sent by another when its lease is over', async () => {
      const { runId } = await leased();
      const { outbox, of } = opened();
      assert.equal(await outbox.send(runId), true);
      assert.deepEqual(of(runId), []);
      await leaseIsOver(runId);
      await until('acknowledged', () => taken(runId), 10_000, 20);
      assert.deepEqual(of(runId), ['START']);
    });
  });

  it("a line's wait grows to five seconds and no further", async () => {
    const { outbox } = opened(() => {
      throw new Error('away');
    });
    const { runId } = await drive(bench.store).start();
    await sql`update outbox set attempts = 1000 where run_id = ${runId}`.execute(bench.db.kysely);
    const from = Date.now() + 5000;
    assert.equal(await outbox.send(runId), false);
    const [line] = await lines(runId);
    assert.ok(line?.until_ms != null && line.until_ms >= from);
    assert.ok(line.until_ms <= Date.now() + 5000);
  });

  it('a run whose line is not taken holds up no other run', async () => {
    const s = drive(bench.store);
    const [bad, good] = [await s.start(), await s.start()];
    const { outbox, of } = opened((said) => {
      if (said.runId === bad.runId) throw new Error('away');
      return 'taken';
    });
    outbox.nudge();
    await until('the other is taken', () => taken(good.runId), 10_000, 5);
    assert.deepEqual(of(good.runId), ['START']);
    assert.equal(await taken(bad.runId), false);
  });

  it('a line that a process is sending is left to it until its lease is over, then another says it', async () => {
    const { answer, open } = held();
    const dead = opened(answer);
    const living = opened();
    const { runId } = await drive(bench.store).start();
    void dead.outbox.send(runId);
    await until('it is being sent', () => open.length === 1, 10_000, 2);
    assert.equal(await living.outbox.send(runId), true, 'nothing is left to send');
    assert.deepEqual(living.of(runId), []);
    await leaseIsOver(runId);
    assert.equal(await living.outbox.send(runId), true);
    assert.deepEqual(living.of(runId), ['START']);
    await until('acknowledged', () => taken(runId), 10_000, 5);
    open[0]?.('taken');
  });

  it('two processes that look at once say every line, and none of them twice', async () => {
    const s = drive(bench.store);
    const runs = await Promise.all(Array.from({ length: 30 }, () => s.start()));
    const both: (ScriptedGateway & { outbox: Outbox })[] = [opened(), opened()];
    for (const one of both) one.outbox.nudge();
    const done = async (): Promise<boolean> =>
      (await Promise.all(runs.map((run) => taken(run.runId)))).every(Boolean);
    await until('all are taken', done, 10_000, 20);
    const said = both.flatMap((one) => one.heard.map((heard) => heard.runId)).sort();
    assert.deepEqual(said, runs.map((run) => run.runId).sort());
  });

  it('a workflow that is not there ends the line and has the run compared, and the next line is sent', async () => {
    const { outbox, of, gone } = opened(() => 'gone');
    const { runId, pauseId } = await threeLines();
    assert.equal(await outbox.send(runId), true);
    await until('acknowledged', () => taken(runId), 10_000, 5);
    assert.deepEqual(of(runId), ['START', `SIGNAL ${pauseId}`, 'CANCEL']);
    assert.deepEqual(gone, [runId, runId, runId]);
  });

  it('a caller knows after 2.8 s that Temporal has not taken it, and the line stays with its sender', async () => {
    const { answer, open } = held();
    const { outbox } = opened(answer);
    const { runId } = await drive(bench.store).start();
    const began = performance.now();
    assert.equal(await outbox.send(runId), false);
    assert.ok(performance.now() - began > 2700);
    const [line] = await lines(runId);
    assert.ok(line?.done === false && line.until_ms !== null && line.until_ms > Date.now());
    open[0]?.('taken');
    await until('acknowledged', () => taken(runId), 10_000, 5);
  });

  it('what is added while it looks is looked for once more, and nothing is sent after it has stopped', async () => {
    const { answer, open } = held();
    const { outbox, heard } = opened(answer);
    const s = drive(bench.store);
    const first = await s.start();
    outbox.nudge();
    await until('the first is being sent', () => open.length === 1, 10_000, 2);
    const second = await s.start();
    outbox.nudge();
    open[0]?.('taken');
    await until('the second is being sent', () => open.length === 2, 10_000, 2);
    const stopping = outbox.stop();
    const third = await s.start();
    open[1]?.('taken');
    await stopping;
    outbox.nudge();
    assert.deepEqual(
      heard.map((one) => one.runId),
      [first.runId, second.runId],
    );
    assert.equal(await taken(third.runId), false);
  });

  it('says nothing to a Temporal that is not the one it met, and says it when that one is back', async () => {
    stranger = true;
    const { outbox, of } = opened();
    const { runId } = await threeLines();
    assert.equal(await outbox.send(runId), false);
    assert.deepEqual([of(runId), await taken(runId)], [[], false]);
    stranger = false;
    await until('it is said', () => taken(runId));
  });

  it('a lease whose reply was lost is taken up at the next look, not when it is over', async () => {
    const { runId } = await threeLines();
    const { store } = bench;
    let lost = 0;
    const deaf: Store = {
      ...store,
      asReconciler: async (work) => {
        const value = await store.asReconciler(work);
        if (Array.isArray(value) && value.length > 0 && lost++ === 0)
          throw new StoreUnavailableError(true, true, undefined);
        return value;
      },
    };
    const began = performance.now();
    opened(undefined, deaf);
    await until('every line is said', () => taken(runId));
    assert.equal(lost > 0, true);
    assert.ok(performance.now() - began < 5000, 'a lease lasts ten seconds');
  });
});
