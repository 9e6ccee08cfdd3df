// What every store must keep of a session's earlier runs, on both databases.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { settle } from '../../src/store/runs/settle.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { recordReply } from '../../src/store/turns/replies.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { drive, type Bench } from './fixture.ts';

export function describeHistory(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const failure = { code: 'MODEL_REJECTED', message: 'The model refused.' } as const;

  /** What the model is told of the session's earlier runs. */
  async function history(run: NewRun): Promise<readonly string[]> {
    const begun = await bench().store.asWorker((tx) => beginTurn(tx, run.runId, 1, randomUUID()));
    assert.ok(begun.kind === 'WORK');
    return begun.work.history.map(({ answer }) => answer);
  }

  describe('a session', () => {
    it('knows what a failed and a cancelled run did, and that they did not finish', async () => {
      const s = step();
      const failed = await s.start();
      const [did = ''] = await s.asks(failed, 1, ['look', 'send']);
      await s.claim(failed, did);
      await s.record(failed, did, 1, { kind: 'ANSWERED', result: 'price 875.4', isError: false });
      await bench().store.asWorker((tx) =>
        settle(tx, failed.runId, { kind: 'FAILED', failure }, 'x'),
      );
      const cancelled = await s.start({ sessionId: failed.sessionId, agent: failed.agent });
      const [under = ''] = await s.asks(cancelled, 1, ['note']);
      await s.claim(cancelled, under);
      await s.cancel(cancelled);
      const next = await s.start({ sessionId: failed.sessionId, agent: failed.agent });
      const [first = '', second = '', ...more] = await history(next);
      assert.deepEqual(more, []);
      assert.match(first, /run failed .*The model refused.*\n- look \{"x":1\}: price 875\.4$/s);
      assert.doesNotMatch(first, /send/, 'what was never made is not said');
      assert.match(second, /was cancelled .*\n- note \{"x":1\}: it is not known/s);
    });

    it('has one exchange of a run, with its answer, and none of an answer that its end did not keep', async () => {
      const s = step();
      const asked = await s.start();
      const [did = ''] = await s.asks(asked, 1, ['look']);
      await s.goesOut(asked, did);
      await s.record(asked, did, 1);
      await s.answers(asked, 2, 'The answer.');
      const same = { sessionId: asked.sessionId, agent: asked.agent };
      const cut = await s.start(same);
      const attemptId = randomUUID();
      await bench().store.asWorker((tx) => beginTurn(tx, cut.runId, 1, attemptId));
      const reply = { kind: 'ANSWER', text: 'Half of it.', reasoning: '', model: 'm' } as const;
      await bench().store.asWorker((tx) =>
        recordReply(
          tx,
          cut.runId,
          1,
          attemptId,
          { ...reply, finishReason: 'stop', calls: [] },
          { promptTokens: 1, completionTokens: 1, estimated: false },
        ),
      );
      await s.cancel(cut);
      assert.deepEqual(await history(await s.start(same)), ['The answer.']);
    });

    it('has no exchange of a run that ended without having done anything', async () => {
      const s = step();
      const idle = await s.start();
      await s.asks(idle, 1, ['send']);
      await s.cancel(idle);
      const next = await s.start({ sessionId: idle.sessionId, agent: idle.agent });
      assert.deepEqual(await history(next), []);
    });
  });
}
