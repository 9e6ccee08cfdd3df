// PostgreSQL has lost its last transactions, and the workflow was told of them: the record is then
// as it was before, which is what these tests put back.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { readPause } from '../../src/store/calls/decisions.ts';
import { lockRun, type NewRun } from '../../src/store/runs/runs.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { all, drive, openBench, person, type Bench } from './fixture.ts';

describe('a record that has lost its last transactions', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  const step = () => drive(bench.store);
  const query = (text: string, ...values: readonly string[]) =>
    sql
      .raw(values.reduce((all, value, i) => all.replaceAll(`$${i + 1}`, `'${value}'`), text))
      .execute(bench.db.kysely);
  const next = (run: NewRun, turn: number) =>
    bench.store.asWorker((tx) => beginTurn(tx, run.runId, turn, randomUUID()));
  const completes = (run: NewRun, turn: number) =>
    bench.store.asWorker((tx) => settle(tx, run.runId, { kind: 'COMPLETED', turn }, 'test'));
  const outcomeOf = (run: NewRun, n: number) =>
    bench.store.asWorker(async (tx) =>
      readPause(tx, (await lockRun(tx, run.runId)) ?? assert.fail(), step().pauseId(run, 1, n)),
    );
  async function approvedAndDone(): Promise<{ run: NewRun; callId: string }> {
    const run = await step().start();
    const [callId = ''] = await step().asks(run, 1, ['send']);
    await step().pause(run, 1, 1, [callId]);
    await step().vote(run, person('lea'), all('APPROVE'));
    const { n } = await step().goesOut(run, callId);
    await step().record(run, callId, n);
    return { run, callId };
  }

  it('opens a pause again that it does not know, and never takes it for decided with nothing approved', async () => {
    const run = await step().start();
    const [callId = ''] = await step().asks(run, 1, ['send']);
    const first = await step().pause(run, 1, 1, [callId]);
    await query('delete from pauses where run_id = $1', run.runId);
    await query(
      `update calls set pause_id = null, requested_at = null where run_id = $1`,
      run.runId,
    );
    await query(`update runs set status = 'RUNNING', pause_id = null where run_id = $1`, run.runId);
    assert.equal((await outcomeOf(run, 1)).known, false);
    const again = await step().pause(run, 1, 1, [callId]);
    assert.equal(again?.pause?.pauseId, first?.pause?.pauseId);
    assert.equal((await step().read(run)).status, 'PAUSED');
    assert.deepEqual(
      (await step().pause(run, 1, 1, [callId]))?.pause?.pauseId,
      again?.pause?.pauseId,
    );
  });

  it('asks once more about a call whose approval it has lost, in a pause of its own that can be decided', async () => {
    const run = await step().start();
    const [callId = ''] = await step().asks(run, 1, ['send']);
    await step().pause(run, 1, 1, [callId]);
    // The workflow was told of an approval that is not in the record.
    const claim = await step().claim(run, callId);
    assert.equal(claim.kind, 'ASK_AGAIN');
    await step().pause(run, 1, 2, [callId]);
    const { rows } = await sql<{ n: number }>`
      select n from pauses where run_id = ${run.runId} and closed_at is null`.execute(
      bench.db.kysely,
    );
    assert.deepEqual(rows, [{ n: 2 }], 'the other one has nothing to ask about');
    await step().vote(run, person('lea'), all('APPROVE', { pauseId: step().pauseId(run, 1, 2) }));
    assert.deepEqual((await outcomeOf(run, 2)).approved, [callId]);
  });

  const losses: Readonly<Record<string, (run: NewRun) => Promise<unknown>>> = {
    'the outcome of a call': (run) =>
      query(`update calls set state = 'DISPATCHING', result = null where run_id = $1`, run.runId),
    'that a call was approved': (run) =>
      query(`update calls set state = 'PROPOSED', result = null where run_id = $1`, run.runId),
    "a model's reply": (run) => query('delete from turns where run_id = $1', run.runId),
  };
  for (const [what, lose] of Object.entries(losses))
    it(`does not ask the model on without ${what}: it says so with a code of its own`, async () => {
      const { run, callId } = await approvedAndDone();
      await lose(run);
      const begun = await next(run, 2);
      assert.equal(begun.kind === 'BEHIND' && begun.failure.code, 'RECORD_LOST');
      const failure = begun.kind === 'BEHIND' ? begun.failure : assert.fail();
      await bench.store.asWorker((tx) =>
        settle(tx, run.runId, { kind: 'FAILED', failure }, 'test'),
      );
      const { calls } = await step().read(run);
      const left = calls.find((call) => call.callId === callId);
      if (what !== "a model's reply") assert.equal(left?.state, 'LEFT', 'never told as not made');
    });

  it('is never COMPLETED with a call skipped, or without its answer', async () => {
    const skipped = (await approvedAndDone()).run;
    await step().answers(skipped, 2, 'done');
    await query(
      `update runs set status = 'RUNNING', closed_at = null where run_id = $1`,
      skipped.runId,
    );
    await query(
      `update calls set state = 'APPROVED', result = null where run_id = $1`,
      skipped.runId,
    );
    const silent = (await approvedAndDone()).run;
    const cut = (await approvedAndDone()).run;
    await step().asks(cut, 2, ['look']);
    await query('delete from calls where run_id = $1 and turn = 2', cut.runId);
    await query('delete from turns where run_id = $1', cut.runId);
    await query(
      `insert into turns (run_id, org_id, turn, kind, text, reasoning, model, finish_reason)
        values ($1, 'acme', 2, 'ANSWER', 'done', '', 'm', 'stop')`,
      cut.runId,
    );
    for (const run of [skipped, silent, cut]) {
      const settled = await completes(run, 2);
      assert.deepEqual([settled?.status, settled?.failure?.code], ['FAILED', 'RECORD_LOST']);
    }
  });

  it('is COMPLETED where nothing is missing', async () => {
    const { run } = await approvedAndDone();
    assert.equal((await step().answers(run, 2, 'done'))?.status, 'COMPLETED');
  });
});
