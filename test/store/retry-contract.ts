// What every store must keep of a failed run that is taken up again, on both databases.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { RunFailure } from '../../src/contract/names.ts';
import type { AgentRunInput } from '../../src/contract/turn.ts';
import {
  acknowledgeOutboxLines,
  leaseOutboxLines,
  type OutboxLine,
} from '../../src/store/outbox.ts';
import { startedRun } from '../../src/store/runs/open-runs.ts';
import { retryRun } from '../../src/store/runs/retry.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { activeMsOf, agent, all, drive, one, person, refusedAs, type Bench } from './fixture.ts';

const failure: RunFailure = { code: 'MODEL_UNAVAILABLE', message: 'x' };

export function describeRetry(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const fail = (run: NewRun, why: RunFailure = failure, execution?: number) =>
    bench().store.asWorker((tx) =>
      settle(tx, run.runId, { kind: 'FAILED', failure: why }, 'test', {
        ...(execution === undefined ? {} : { execution }),
      }),
    );
  const retry = (run: NewRun, retryId = randomUUID()) =>
    bench().store.asOrg('acme', (tx) => retryRun(tx, { runId: run.runId, by: 'ada', retryId }));
  /** Temporal takes what is to be said of the run, a line at a time. */
  const send = async (run: NewRun): Promise<readonly OutboxLine[]> => {
    const lines = await bench().store.asReconciler(async (tx) => {
      const leased = await leaseOutboxLines(tx, run.runId, 10, randomUUID());
      await acknowledgeOutboxLines(
        tx,
        leased.map((line) => line.id),
      );
      return leased;
    });
    return lines.length === 0 ? [] : [...lines, ...(await send(run))];
  };
  /** What the next execution is started with. */
  async function startOf(run: NewRun): Promise<AgentRunInput> {
    const line = (await send(run)).at(-1);
    if (line?.message.kind !== 'START') throw new Error('no start');
    return line.message.input;
  }
  const statesOf = async (run: NewRun): Promise<readonly string[]> =>
    (await step().read(run)).calls.map((call) => call.state);

  describe('taking a failed run up again', () => {
    it('starts one more execution, at the last recorded turn and behind its pauses', async () => {
      const s = step();
      const run = await s.start();
      await send(run);
      const [look = ''] = await s.asks(run, 1, ['look']);
      await s.claim(run, look);
      await s.record(run, look, 1);
      const [pay = ''] = await s.asks(run, 2, ['pay']);
      await s.pause(run, 2, 1, [pay]);
      await fail(run);
      const retryId = randomUUID();
      await retry(run, retryId);
      await retry(run, retryId);
      const { takenUp, limits } = await startOf(run);
      assert.deepEqual(takenUp, {
        ...{ execution: 2, fromTurn: 2, pauses: 1, toolCalls: 1, rejections: {} },
      });
      assert.deepEqual(limits, run.agent.limits);
      assert.equal((await send(run)).length, 0, 'the repeated transaction found itself');
      const record = await s.read(run);
      assert.deepEqual([record.status, record.errorCode], ['QUEUED', null]);
      await s.pause(run, 2, 2, [pay]);
      const [, asked] = (await s.read(run)).calls;
      assert.equal(asked?.pauseId, s.pauseId(run, 2, 2), 'its approval is asked again');
    });

    it('is for FAILED runs, and not once a later run of the session has started', async () => {
      const s = step();
      const first = await s.start();
      await assert.rejects(retry(first), refusedAs('NOT_FAILED'));
      const second = await s.start({ sessionId: first.sessionId, agent: first.agent });
      await s.cancel(second);
      await fail(first);
      await retry(first);
      await fail(first, failure, 2);
      await s.start({ sessionId: first.sessionId, agent: first.agent });
      await assert.rejects(retry(first), refusedAs('SESSION_WENT_ON'));
      assert.equal((await s.read(first)).status, 'FAILED');
    });

    it('the end of an execution that was followed by another ends nothing, sent again', async () => {
      const s = step();
      const run = await s.start();
      const [pay = ''] = await s.asks(run, 1, ['pay']);
      await fail(run);
      await retry(run);
      const again = await fail(run, failure, 1);
      assert.deepEqual(again, { status: 'FAILED', failure });
      const paused = await bench().store.asWorker((tx) =>
        settle(
          tx,
          run.runId,
          { kind: 'PAUSED', turn: 1, n: 1, pauseKind: 'APPROVAL', callIds: [pay] },
          'test',
          { execution: 1 },
        ),
      );
      assert.equal(paused?.status, 'FAILED');
      assert.equal((await s.read(run)).status, 'QUEUED');
      await fail(run, failure, 2);
      assert.equal((await s.read(run)).status, 'FAILED');
    });

    it('its workflow is not looked for until the start of its own execution was taken', async () => {
      const run = await step().start();
      const started = async () =>
        (await bench().store.asReconciler((tx) => startedRun(tx, run.runId)))?.execution;
      assert.equal(await started(), undefined);
      await send(run);
      assert.equal(await started(), 1);
      await fail(run);
      await retry(run);
      assert.equal(await started(), undefined);
      await send(run);
      assert.equal(await started(), 2);
    });

    it('what was done, rejected or left by a person stays so; the rest is open as it was, or unknown', async () => {
      const s = step();
      const run = await s.start();
      const ids = await s.asks(run, 1, ['send', 'pay', 'note', 'note', 'send', 'look', 'send']);
      const [
        done = '',
        rejected = '',
        left = '',
        unknown = '',
        approved = '',
        read = '',
        open = '',
      ] = ids;
      await s.claim(run, left);
      await s.record(run, left, 1, { kind: 'UNANSWERED', evidence: 'cut' });
      await s.pause(run, 1, 1, [left], 'OUTCOME_UNKNOWN');
      await s.vote(run, person('lea'), one(left, 'REJECT', {}, { pauseId: s.pauseId(run, 1, 1) }));
      await s.pause(run, 1, 2, [done, rejected, approved]);
      await s.vote(run, person('lea'), one(rejected, 'REJECT'));
      await s.vote(run, person('lea'), all('APPROVE', { pauseId: s.pauseId(run, 1, 2) }));
      await s.claim(run, done);
      await s.record(run, done, 1);
      await s.claim(run, unknown);
      await s.record(run, unknown, 1, { kind: 'UNANSWERED', evidence: 'cut' });
      await s.claim(run, read);
      await s.record(run, read, 1, { kind: 'UNANSWERED', evidence: 'cut' });
      await s.pause(run, 1, 3, [open]);
      await fail(run);
      assert.deepEqual(await statesOf(run), [
        ...['SUCCEEDED', 'REJECTED', 'LEFT', 'LEFT', 'CLOSED', 'LEFT', 'CLOSED'],
      ]);
      await retry(run);
      assert.deepEqual(await statesOf(run), [
        ...['SUCCEEDED', 'REJECTED', 'LEFT', 'UNKNOWN', 'APPROVED', 'PROPOSED', 'PROPOSED'],
      ]);
      assert.equal((await s.claim(run, approved)).kind, 'DISPATCH', 'its approval holds');
      assert.equal((await s.claim(run, open)).kind, 'ASK_AGAIN');
      assert.equal((await s.claim(run, unknown)).kind, 'UNKNOWN');
      await fail(run, failure, 2);
      await retry(run);
      const { takenUp } = await startOf(run);
      assert.deepEqual([takenUp?.execution, takenUp?.rejections], [3, { pay: 1 }]);
    });

    it('a call that was under way is not made again unasked, whatever its late answer', async () => {
      const s = step();
      const run = await s.start();
      const [late = '', never = ''] = await s.asks(run, 1, ['note', 'note']);
      for (const id of [late, never]) {
        const claim = await s.claim(run, id);
        assert.equal(claim.kind, 'DISPATCH');
        await sql`update calls set unsent_n = null where call_id = ${id}`.execute(
          bench().db.kysely,
        );
      }
      await fail(run);
      await s.record(run, late, 1);
      await retry(run);
      assert.equal((await s.claim(run, late)).kind, 'DONE');
      assert.equal((await s.claim(run, never)).kind, 'UNKNOWN');
      const { rows } = await sql<{ kind: string; id: string | null }>`
        select kind, data->>'callId' as id from events where run_id = ${run.runId} and seq > 1 and kind <> 'ATTEMPT' order by seq`.execute(
        bench().db.kysely,
      );
      assert.deepEqual(
        rows.map(({ kind }) => kind),
        ['TOOL_START', 'TOOL_START', 'ERROR', 'TOOL_END', 'RETRIED'],
      );
      assert.equal(rows[3]?.id, late, 'its late outcome is told now');
    });

    it('a budget goes on counting, and after BUDGET_EXCEEDED there is one more full one', async () => {
      const s = step();
      const run = await s.start({ agent: agent() });
      await send(run);
      const [look = ''] = await s.asks(run, 1, ['look']);
      await s.claim(run, look);
      await s.record(run, look, 1);
      await sql`update attempts set started_at = now() - interval '9 s', ended_at = now() where run_id = ${run.runId}`.execute(
        bench().db.kysely,
      );
      const used = async (turn: number): Promise<readonly [number, boolean]> =>
        bench().store.asWorker(async (tx) => {
          const begun = await beginTurn(tx, run.runId, turn, randomUUID());
          if (begun.kind !== 'WORK') throw new Error(begun.kind);
          return [begun.work.tokens, (await activeMsOf(tx, run.runId)) > 5000];
        });
      await fail(run);
      await retry(run);
      const goesOn = await startOf(run);
      assert.equal(goesOn.limits.maxTurns, run.agent.limits.maxTurns);
      assert.deepEqual(await used(2), [11, true]);
      await fail(run, { code: 'BUDGET_EXCEEDED', message: 'x' }, 2);
      await retry(run);
      const { limits, takenUp } = await startOf(run);
      assert.deepEqual(
        [limits.maxTurns, limits.maxToolCalls, takenUp?.toolCalls],
        [run.agent.limits.maxTurns + 1, run.agent.limits.maxToolCalls + 1, 0],
      );
      assert.deepEqual(await used(2), [0, false]);
      assert.equal((await s.read(run)).promptTokens, 10, 'the record counts all of it');
    });
  });
}
