// What every store must keep of calls that were rejected before, on both databases.

import assert from 'node:assert/strict';
import type { AskAgain } from '../../src/contract/agent.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { agent, all, drive, one, person, type Bench } from './fixture.ts';

export function describeRejections(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const approvals = (askAgain?: AskAgain, expiresAfterMs: number | null = null) => ({
    expiresAfterMs,
    quorum: 1,
    fourEyes: false,
    ...(askAgain === undefined ? {} : { askAgain }),
  });

  describe('a call that was rejected before', () => {
    /** Asks for the same call turn after turn; how often people were asked. */
    async function timesAsked(askAgain: AskAgain | undefined): Promise<number> {
      const s = step();
      const run = await s.start({ agent: agent({ approvals: approvals(askAgain) }) });
      let asked = 0;
      for (let turn = 1; turn <= 4; turn++) {
        const ids = await s.asks(run, turn, ['send']);
        const call = (await s.read(run)).calls.at(-1);
        if (call?.state !== 'PROPOSED') continue;
        asked++;
        await s.pause(run, turn, 1, ids);
        await s.vote(run, person('lea'), all('REJECT', { pauseId: s.pauseId(run, turn, 1) }));
      }
      return asked;
    }

    it('is asked about again never, once or always, as the agent says', async () => {
      assert.deepEqual(
        [await timesAsked('never'), await timesAsked('once'), await timesAsked('always')],
        [1, 2, 4],
      );
      assert.equal(await timesAsked(undefined), 1, 'never is the default');
    });

    it('is answered with who rejected it and why, the same words each time, and is never dispatched', async () => {
      const s = step();
      const run = await s.start();
      const [first = ''] = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, [first]);
      await s.vote(run, person('lea'), one(first, 'REJECT', { reason: 'wrong day' }));
      const [second = ''] = await s.asks(run, 2, ['send']);
      await s.asks(run, 3, ['send']);
      const [, again, more] = (await s.read(run)).calls;
      assert.equal(again?.state, 'FAILED');
      assert.match(again.result ?? '', /rejected before by lea: wrong day/);
      assert.equal(more?.result, again.result);
      assert.deepEqual(await s.claim(run, second), { kind: 'DONE', result: again.result });
    });

    it('counts as rejected where it has expired', async () => {
      const s = step();
      const run = await s.start({ agent: agent({ approvals: approvals('never', 1) }) });
      const ids = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, ids);
      await assert.rejects(s.vote(run, person('lea'), all('APPROVE')));
      await s.asks(run, 2, ['send']);
      assert.match((await s.read(run)).calls[1]?.result ?? '', /has expired before/);
    });

    it('is another call with other arguments or of another tool, and with the same ones after an APPROVE', async () => {
      const s = step();
      const run = await s.start();
      const [no = '', yes = ''] = await s.asks(run, 1, ['send', 'pay']);
      await s.pause(run, 1, 1, [no, yes]);
      await s.vote(run, person('lea'), one(no, 'REJECT'));
      await s.vote(run, person('lea'), one(yes, 'APPROVE'));
      await s.asks(run, 2, ['send', 'pay'], '{"x":2}');
      await s.asks(run, 3, ['pay']);
      const states = (await s.read(run)).calls.slice(2).map((call) => call.state);
      assert.deepEqual(states, ['PROPOSED', 'PROPOSED', 'PROPOSED']);
    });

    it('is none whose outcome was unknown and was left: that is asked about again', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['pay']);
      await s.pause(run, 1, 1, [id]);
      await s.vote(run, person('lea'), all('APPROVE'));
      const { n } = await s.goesOut(run, id);
      await s.record(run, id, n, { kind: 'UNANSWERED', evidence: 'cut off' });
      await s.pause(run, 1, 2, [id], 'OUTCOME_UNKNOWN');
      assert.deepEqual((await s.read(run)).calls[0]?.votes, [], 'those of the approval are over');
      await s.vote(run, person('lea'), all('REJECT', { pauseId: s.pauseId(run, 1, 2) }));
      await s.asks(run, 2, ['pay']);
      const states = (await s.read(run)).calls.map((call) => call.state);
      assert.deepEqual(states, ['LEFT', 'PROPOSED']);
    });

    it('is not known to another run', async () => {
      const s = step();
      const first = await s.start();
      const ids = await s.asks(first, 1, ['send']);
      await s.pause(first, 1, 1, ids);
      await s.vote(first, person('lea'), all('REJECT'));
      await s.answers(first, 2, 'Well.');
      const second: NewRun = await s.start({ sessionId: first.sessionId, agent: first.agent });
      await s.asks(second, 1, ['send']);
      assert.equal((await s.read(second)).calls[0]?.state, 'PROPOSED');
    });
  });

  it('an open call shows the earlier decisions about its tool in this run, as they were asked for', async () => {
    const s = step();
    const run = await s.start();
    const [edited = ''] = await s.asks(run, 1, ['send'], '{"to":"a"}');
    await s.pause(run, 1, 1, [edited]);
    await s.vote(run, person('lea'), one(edited, 'APPROVE', { arguments: { to: 'b' } }));
    const [no = '', other = ''] = await s.asks(run, 2, ['send', 'pay'], '{"to":"c"}');
    await s.pause(run, 2, 1, [no, other]);
    await s.vote(run, person('kim'), one(no, 'REJECT', { reason: 'no' }));
    await s.vote(run, person('kim'), one(other, 'REJECT'));
    const [open = ''] = await s.asks(run, 3, ['send'], '{"to":"d"}');
    await s.pause(run, 3, 1, [open]);
    const call = (await s.read(run)).calls.find((c) => c.callId === open);
    assert.deepEqual(
      call?.earlier?.map(({ callId, arguments: text, action, by, reason }) => [
        callId,
        text,
        action,
        by,
        reason,
      ]),
      [
        [edited, '{"to":"a"}', 'APPROVE', ['lea'], null],
        [no, '{"to":"c"}', 'REJECT', ['kim'], 'no'],
      ],
    );
  });
}
