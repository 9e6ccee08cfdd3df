import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { leaseOutboxLines } from '../../src/store/outbox.ts';
import { retryRun } from '../../src/store/runs/retry.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { until } from '../rig/wait.ts';
import { scriptedWorkflows } from './scripted.ts';

import { LOOK_EVERY_MS, reconcilerRig } from './reconciler-rig.ts';

describe('the reconciler', () => {
  const { bench, stopAll, step, acknowledged, aged, started, opened, end } = reconcilerRig();

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
      bench().store.asWorker((tx) =>
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
      await bench().store.asOrg('acme', (tx) =>
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
      bench().db.kysely,
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
    const lines = await bench().store.asReconciler((tx) =>
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
      await stopAll();
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
    const watch = bench().store.announcer.watch(held.runId);
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
      bench().db.kysely,
    );
    await aged(lost, behind);
    const script = scriptedWorkflows();
    script.statuses.set(waiting.runId, 'RUNNING');
    const { released } = opened(script);
    const starts = async (run: NewRun): Promise<number> =>
      (
        await sql`select 1 from outbox where run_id = ${run.runId} and kind = 'START'`.execute(
          bench().db.kysely,
        )
      ).rows.length;
    await until('it is told to start', async () => (await starts(lost)) === 1, 10_000, 5);
    await until('and said so', () => released() === 1, 10_000, 5);
    const looks = script.looks.length;
    await until('more looks', () => script.looks.length > looks + 5, 10_000, 5);
    assert.equal(await starts(behind), 0, 'one that waits for another is left waiting');
    assert.equal(released(), 1, 'told once');
  });
});
