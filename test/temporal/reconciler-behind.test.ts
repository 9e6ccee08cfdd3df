import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { LOOK_AGAIN_AFTER_MS } from '../../src/temporal/absences.ts';
import { type ReconcilerDeps } from '../../src/temporal/reconciler.ts';
import { leaseOutboxLines } from '../../src/store/outbox.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { until } from '../rig/wait.ts';
import { all, person } from '../store/fixture.ts';
import { scriptedWorkflows } from './scripted.ts';

import { LOOK_EVERY_MS, reconcilerRig } from './reconciler-rig.ts';

describe('the reconciler, where the two records have come apart', () => {
  const { bench, step, acknowledged, started, opened, startsOf, acted, end } = reconcilerRig();

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
      const lines = await bench().store.asReconciler((tx) =>
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
        bench().db.kysely,
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
        bench().db.kysely,
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
        bench().db.kysely,
      );
      const { reconciler, statuses } = opened();
      for (const run of [whole, lost]) statuses.set(run.runId, 'COMPLETED');
      for (const run of [whole, lost]) await reconciler.compare(run.runId);
      assert.equal((await step().read(whole)).content, 'done');
      assert.deepEqual([await end(whole), await end(lost)], ['COMPLETED', 'FAILED RECORD_LOST']);
    });
  });
});
