// What every store must keep of work that comes after its run: the run was deleted meanwhile, has
// ended, or the call is another run's. Whoever asks is told so, and nothing is written.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { RunFailure } from '../../src/contract/names.ts';
import { claimCall } from '../../src/store/calls/calls.ts';
import { settleUnknown } from '../../src/store/calls/reconciled.ts';
import type { Work } from '../../src/store/database/access.ts';
import { beginFollowUps, recordFollowUps } from '../../src/store/runs/follow-ups.ts';
import { cancelAgain, cancelRun, continueRun } from '../../src/store/runs/continue-run.ts';
import { retryRun } from '../../src/store/runs/retry.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { startAnew } from '../../src/store/runs/start-anew.ts';
import { withdrawCalls } from '../../src/store/runs/withdraw.ts';
import { recordReply, type StoredReply } from '../../src/store/turns/replies.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { all, drive, person, refusedAs, type Bench } from './fixture.ts';

const REPLY: StoredReply = {
  ...{ kind: 'ANSWER', text: 'a', reasoning: '', model: 'm', finishReason: 'stop', calls: [] },
};
const USAGE = { promptTokens: 1, completionTokens: 1, estimated: false };
const FAILED: { readonly kind: 'FAILED'; readonly failure: RunFailure } = {
  ...{ kind: 'FAILED', failure: { code: 'INTERNAL', message: 'x' } },
};

export function describeGone(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const work = <T>(does: Work<T>): Promise<T> => bench().store.asWorker(does);

  describe('a run that is gone', () => {
    const runId = 'run_that_was_deleted';
    const pause = { turn: 1, n: 1, pauseKind: 'APPROVAL', callIds: [] } as const;
    for (const [what, does, told] of [
      ['a turn', (tx) => beginTurn(tx, runId, 1, randomUUID()), { kind: 'GONE' }],
      ['a reply', (tx) => recordReply(tx, runId, 1, randomUUID(), REPLY, USAGE), { kind: 'GONE' }],
      ['an end', (tx) => settle(tx, runId, FAILED, 'test'), undefined],
      ['a pause', (tx) => settle(tx, runId, { kind: 'PAUSED', ...pause }, 'test'), undefined],
      ['a cancel', (tx) => cancelRun(tx, runId, 'ada'), undefined],
      ['a cancel once more', (tx) => cancelAgain(tx, runId), false],
      ['its follow-ups', (tx) => beginFollowUps(tx, runId, 1, randomUUID()), undefined],
      [
        'the record of those',
        (tx) => recordFollowUps(tx, runId, randomUUID(), { questions: ['?'] }),
        undefined,
      ],
      ['its start once more', (tx) => startAnew(tx, runId, new Date()), undefined],
    ] satisfies readonly (readonly [string, Work<unknown>, unknown])[])
      it(`is told to who brings ${what}`, async () =>
        assert.deepEqual(await work<unknown>(does), told));

    it('is not there for a vote, a retry, or who takes a call back', async () => {
      const vote = { runId, voter: person('lea'), vote: all('APPROVE') };
      const withdrawal = { withdrawalId: 'w', by: 'ada', message: 'no' };
      for (const does of [
        (tx) => continueRun(tx, { ...vote, checkEdit: () => ({ canonical: '{}' }) }),
        (tx) => retryRun(tx, { runId, by: 'ada', retryId: randomUUID() }),
        (tx) => withdrawCalls(tx, runId, withdrawal),
      ] satisfies readonly Work<unknown>[])
        await assert.rejects(work<unknown>(does), refusedAs('NOT_FOUND'));
    });
  });

  describe('a call that is not there, or is another run’s', () => {
    async function others(): Promise<{ readonly run: NewRun; readonly callId: string }> {
      const [run, other] = [await step().start(), await step().start()];
      const [callId = ''] = await step().asks(other, 1, ['look']);
      return { run, callId };
    }
    it('is neither claimed, nor recorded, nor settled', async () => {
      const { run, callId } = await others();
      for (const id of [callId, 'call_that_is_not_there']) {
        const claim = { runId: run.runId, callId: id, attemptId: randomUUID() };
        const { kind } = await work((tx) =>
          claimCall(tx, { ...claim, versionNow: () => undefined }),
        );
        assert.equal(kind, 'GONE');
        assert.equal((await step().record(run, id, 1)).kind, 'UNKNOWN');
        const settled = await work((tx) => settleUnknown(tx, run.runId, id, { kind: 'NOT_DONE' }));
        assert.equal(settled.kind, 'UNKNOWN');
      }
      const { rows } = await sql<{ state: string }>`
        select state from calls where call_id = ${callId}`.execute(bench().db.kysely);
      assert.deepEqual(rows, [{ state: 'PROPOSED' }]);
    });
  });

  describe('a run that has ended', () => {
    it('begins no turn and no follow-ups, is not paused, and keeps its first end', async () => {
      const run = await step().start();
      const callIds = await step().asks(run, 1, ['send']);
      await step().cancel(run);
      const { runId } = run;
      assert.equal((await work((tx) => beginTurn(tx, runId, 2, randomUUID()))).kind, 'ENDED');
      assert.equal(await work((tx) => beginFollowUps(tx, runId, 1, randomUUID())), undefined);
      await work((tx) => recordFollowUps(tx, runId, randomUUID(), { questions: ['?'] }));
      assert.equal((await step().pause(run, 1, 1, callIds))?.status, 'CANCELLED');
      assert.equal((await work((tx) => settle(tx, runId, FAILED, 'test')))?.status, 'CANCELLED');
      const { rows } = await sql<{ status: string; follow_ups: unknown; pauses: number }>`
        select status, follow_ups, pauses from runs where run_id = ${runId}`.execute(
        bench().db.kysely,
      );
      assert.deepEqual(rows, [{ status: 'CANCELLED', follow_ups: null, pauses: 0 }]);
    });
  });
}
