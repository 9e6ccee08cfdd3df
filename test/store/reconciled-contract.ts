// What every store must keep of unknown outcomes that their receiver was asked about.

import assert from 'node:assert/strict';
import type { ToolSnapshot } from '../../src/contract/agent.ts';
import { readUnknownCall, settleUnknown } from '../../src/store/calls/reconciled.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import type { ReceiverSays } from '../../src/tools/ask-receiver.ts';
import { agent, all, drive, person, tool, type Bench } from './fixture.ts';

const RECONCILE: ToolSnapshot['reconcile'] = {
  ...{ method: 'GET', url: 'http://127.0.0.1:9/{idempotencyKey}', headers: {} },
};

export function describeReconciled(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const settles = (run: NewRun, callId: string, says: ReceiverSays) =>
    bench().store.asWorker((tx) => settleUnknown(tx, run.runId, callId, says));
  const asksOf = (run: NewRun, callId: string) =>
    bench().store.asWorker((tx) => readUnknownCall(tx, run.runId, callId));
  /** Dispatched, and never answered. */
  async function unanswered(more: Partial<ToolSnapshot> = {}) {
    const s = step();
    const pay = tool('pay', { idempotent: false, reconcile: RECONCILE, ...more });
    const run = await s.start({ agent: agent({ id: 'payer', tools: [pay] }) });
    const [callId = ''] = await s.asks(run, 1, ['pay']);
    if (pay.approval === 'required') {
      await s.pause(run, 1, 1, [callId]);
      await s.vote(run, person('lea'), all('APPROVE'));
    }
    const lose = async (): Promise<void> => {
      const { n } = await s.goesOut(run, callId);
      await s.record(run, callId, n, { kind: 'UNANSWERED', evidence: 'cut' });
    };
    await lose();
    return { s, run, callId, lose };
  }

  describe('an unknown outcome whose receiver can be asked', () => {
    it('is settled by done, with its result, and the evidence stands', async () => {
      const { s, run, callId } = await unanswered({ approval: 'never' });
      assert.equal((await asksOf(run, callId))?.tool.name, 'pay');
      const done = { kind: 'DONE', result: 'receipt 1' } as const;
      assert.deepEqual(await settles(run, callId, done), done);
      assert.deepEqual(await settles(run, callId, done), done, 'played again');
      const [call] = (await s.read(run)).calls;
      assert.deepEqual([call?.state, call?.result], ['SUCCEEDED', 'receipt 1']);
      assert.match(call?.evidence ?? '', /cut; its receiver was asked: done$/);
      assert.equal(await asksOf(run, callId), undefined);
    });

    it('is sent again under the same approval where it was not done, three times in all', async () => {
      const { s, run, callId, lose } = await unanswered();
      for (let sent = 1; sent < 3; sent++) {
        assert.deepEqual(await settles(run, callId, { kind: 'NOT_DONE' }), { kind: 'AGAIN' });
        assert.deepEqual(await settles(run, callId, { kind: 'NOT_DONE' }), { kind: 'AGAIN' });
        assert.equal((await s.read(run)).calls[0]?.state, 'APPROVED');
        await lose();
      }
      assert.deepEqual(await settles(run, callId, { kind: 'NOT_DONE' }), { kind: 'UNKNOWN' });
      assert.equal((await s.read(run)).calls[0]?.state, 'UNKNOWN');
    });

    it('is left to people where it does not know or does not answer, who read what it said', async () => {
      const { s, run, callId } = await unanswered({ approval: 'never' });
      assert.deepEqual(await settles(run, callId, { kind: 'UNKNOWN' }), { kind: 'UNKNOWN' });
      const away = { kind: 'NO_ANSWER', why: 'it answered with the status 503' } as const;
      assert.deepEqual(await settles(run, callId, away), { kind: 'UNKNOWN' });
      const [call] = (await s.read(run)).calls;
      assert.match(call?.evidence ?? '', /it does not know; .*no answer, it answered with/);
    });

    it('is not asked about once people are, nor after the end, nor where nobody can be asked', async () => {
      const { s, run, callId } = await unanswered({ approval: 'never' });
      await s.pause(run, 1, 1, [callId], 'OUTCOME_UNKNOWN');
      assert.equal(await asksOf(run, callId), undefined);
      const other = await unanswered({ approval: 'never' });
      await other.s.cancel(other.run);
      const late = await settles(other.run, other.callId, { kind: 'NOT_DONE' });
      assert.deepEqual(late, { kind: 'UNKNOWN' });
      const [ended] = (await other.s.read(other.run)).calls;
      assert.doesNotMatch(ended?.evidence ?? '', /receiver/, 'of an ended run nothing is written');
      const none = await unanswered({ approval: 'never', reconcile: undefined });
      assert.equal(await asksOf(none.run, none.callId), undefined);
    });
  });
}
