// What every store must keep of the last look before a byte is written, and of telling who waits,
// on both databases.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { checkClaim, type ClaimedCall } from '../../src/store/calls/calls.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { all, drive, person, type Bench } from './fixture.ts';

export function describeLastLook(bench: () => Bench): void {
  const step = () => drive(bench().store);

  async function claimed(name: 'look' | 'note'): Promise<{
    run: NewRun;
    callId: string;
    call: ClaimedCall;
    look: () => Promise<string>;
  }> {
    const run = await step().start();
    const [callId = ''] = await step().asks(run, 1, [name]);
    const claim = await step().claim(run, callId);
    const call = claim.kind === 'DISPATCH' ? claim.call : assert.fail(claim.kind);
    const look = () => bench().store.asWorker((tx) => checkClaim(tx, run.runId, callId, call));
    return { run, callId, call, look };
  }

  describe('the last look before the write', () => {
    it('says go for the present claim, as often as it is asked', async () => {
      const { look } = await claimed('note');
      assert.deepEqual([await look(), await look()], ['GO', 'GO']);
    });

    it('says no once the run has ended', async () => {
      const { run, look } = await claimed('look');
      await step().cancel(run);
      assert.equal(await look(), 'LOST');
    });

    it('says no once the call was claimed anew, and yes to the newer claim', async () => {
      const { run, callId, look } = await claimed('look');
      const again = await step().claim(run, callId);
      const newer = again.kind === 'DISPATCH' ? again.call : assert.fail(again.kind);
      assert.equal(newer.n, 2);
      assert.equal(await look(), 'LOST');
      assert.equal(
        await bench().store.asWorker((tx) => checkClaim(tx, run.runId, callId, newer)),
        'GO',
      );
    });

    it('says no once the call has an outcome, is unknown, or was handed back', async () => {
      for (const end of [
        { kind: 'ANSWERED', result: 'ok', isError: false },
        { kind: 'UNANSWERED', evidence: 'cut' },
        { kind: 'WITHDRAWN' },
      ] as const) {
        const { run, callId, look } = await claimed('note');
        await step().record(run, callId, 1, end);
        assert.equal(await look(), 'LOST', end.kind);
      }
    });

    it('ends an unguarded call whose text was changed behind the claim, unsent', async () => {
      const { run, callId, look } = await claimed('note');
      await sql`update calls set arguments = '{"x":2}' where call_id = ${callId}`.execute(
        bench().db.kysely,
      );
      assert.equal(await look(), 'LOST');
      const [call] = (await step().read(run)).calls;
      assert.equal(call?.state, 'FAILED');
      assert.match(call?.result ?? '', /^This call was not run/);
    });

    it('says no where the record of the run or the call is gone', async () => {
      const { run, callId, call } = await claimed('note');
      const look = (runId: string, id: string) =>
        bench().store.asWorker((tx) => checkClaim(tx, runId, id, call));
      assert.equal(await look(run.runId, `${callId}x`), 'LOST');
      assert.equal(await look(`${run.runId}x`, callId), 'LOST');
    });
  });

  describe('who waits for a run', () => {
    /** What was told by the time the work was done: nothing that is looked up later. */
    async function toldBy(run: NewRun, work: () => Promise<unknown>): Promise<readonly string[]> {
      const told: string[] = [];
      const stop = bench().store.announcer.listen(run.runId, (change) => told.push(change));
      await work();
      stop();
      return told;
    }

    it('learns of a pause, a vote, an end and a cancel with the commit, by the process that made it', async () => {
      const s = step();
      const run = await s.start();
      const [a = '', b = ''] = await s.asks(run, 1, ['send', 'pay']);
      assert.deepEqual(await toldBy(run, () => s.pause(run, 1, 1, [a, b])), ['STATUS']);
      const vote = { votes: { each: [{ callId: a, action: 'APPROVE' }] }, keyed: false } as const;
      assert.deepEqual(await toldBy(run, () => s.vote(run, person('lea'), vote)), ['EVENTS']);
      assert.deepEqual(await toldBy(run, () => s.vote(run, person('lea'), all('REJECT'))), [
        'EVENTS',
      ]);
      assert.deepEqual(await toldBy(run, () => s.answers(run, 2, 'done')), ['STATUS']);
      const other = await s.start();
      assert.deepEqual(await toldBy(other, () => s.cancel(other)), ['STATUS']);
      assert.deepEqual(await toldBy(other, () => s.cancel(other)), [], 'nothing has changed');
    });

    it('behind a run is notified when that pauses, and when that has ended', async () => {
      const s = step();
      const run = await s.start();
      const calls = await s.asks(run, 1, ['send']);
      const behind = await s.start({ sessionId: run.sessionId, agent: run.agent });
      assert.deepEqual(await toldBy(behind, () => s.pause(run, 1, 1, calls)), ['STATUS']);
      assert.deepEqual(await toldBy(behind, () => s.cancel(run)), ['STATUS']);
    });
  });
}
