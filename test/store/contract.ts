// What every store must keep, on both databases.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { checkClaim } from '../../src/store/calls/calls.ts';
import { addOutboxLine, leaseOutboxLines } from '../../src/store/outbox.ts';
import { startRun } from '../../src/store/runs/runs.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { recordReply } from '../../src/store/turns/replies.ts';
import { agent, all, drive, one, person, refusedAs, type Bench } from './fixture.ts';
import { describeApprovedTool } from './approved-tool-contract.ts';
import { describeEnds } from './ends-contract.ts';
import { describeLastLook } from './last-look-contract.ts';
import { describeServerTools } from './server-tools-contract.ts';
import { describePauses } from './pauses-contract.ts';
import { describeKnowledge } from './knowledge-contract.ts';
import { describeHistory } from './history-contract.ts';
import { describeRejections } from './rejections-contract.ts';
import { describeGone } from './gone-contract.ts';
import { describeRetention } from './retention-contract.ts';
import { describeGrants } from './grants-contract.ts';
import { describeEffects } from './effects-contract.ts';
import { describeSeals } from './seals-contract.ts';
import { describeReconciled } from './reconciled-contract.ts';
import { describeRules } from './rules-contract.ts';
import { describeWithdrawals } from './withdraw-contract.ts';
import { describeRetry } from './retry-contract.ts';

export function describeStore(bench: () => Bench): void {
  describe('knowledge and memory', () => describeKnowledge(bench));
  const step = () => drive(bench().store);
  const lease = (runId: string | null) =>
    bench().store.asReconciler((tx) => leaseOutboxLines(tx, runId, 100, randomUUID()));

  describe('starting', () => {
    it('the same transaction again finds itself', async () => {
      const run = await step().start();
      const again = await bench().store.asOrg('acme', (tx) => startRun(tx, run));
      assert.equal(again.kind, 'STARTED');
      assert.equal((await lease(run.runId)).length, 1);
      assert.equal((await lease(run.runId)).length, 0, 'a leased line is not given twice');
    });

    it('its first turn says that its start was taken, and nothing of its other lines', async () => {
      const run = await step().start();
      await bench().store.asReconciler(async (tx) =>
        addOutboxLine(tx, run.orgId, run.runId, { kind: 'CANCEL' }),
      );
      await bench().store.asWorker((tx) => beginTurn(tx, run.runId, 1, randomUUID()));
      const { rows } = await sql<{ kind: string; taken: boolean }>`
        select kind, acknowledged_at is not null as taken from outbox where run_id = ${run.runId}
        order by id`.execute(bench().db.kysely);
      assert.deepEqual(rows, [
        { kind: 'START', taken: true },
        { kind: 'CANCEL', taken: false },
      ]);
    });

    it('a session takes one run at a time, in order, and the end of one releases the next', async () => {
      const s = step();
      const first = await s.start();
      const second = await s.start({ sessionId: first.sessionId, agent: first.agent });
      assert.equal((await lease(second.runId)).length, 0, 'the second waits');
      await s.answers(first, 1, 'One');
      const [line] = await lease(second.runId);
      assert.equal(line?.message.kind, 'START');
      const work = await bench().store.asWorker((tx) =>
        beginTurn(tx, second.runId, 1, randomUUID()),
      );
      const history =
        work.kind === 'WORK'
          ? work.work.history.map(({ question, answer }) => ({ question, answer }))
          : [];
      assert.deepEqual(history, [{ question: 'Hello', answer: 'One' }]);
    });

    it('a failed or cancelled run leaves no half exchange and holds nobody up', async () => {
      const s = step();
      const first = await s.start();
      const second = await s.start({ sessionId: first.sessionId, agent: first.agent });
      const third = await s.start({ sessionId: first.sessionId, agent: first.agent });
      await bench().store.asWorker((tx) =>
        settle(
          tx,
          first.runId,
          { kind: 'FAILED', failure: { code: 'INTERNAL', message: 'x' } },
          'test',
        ),
      );
      await s.cancel(second);
      assert.equal((await lease(third.runId))[0]?.message.kind, 'START');
      const work = await bench().store.asWorker((tx) =>
        beginTurn(tx, third.runId, 1, randomUUID()),
      );
      assert.deepEqual(work.kind === 'WORK' && work.work.history, []);
    });

    it('a session keeps its agent, and takes nothing while a run of it is paused', async () => {
      const s = step();
      const run = await s.start();
      await assert.rejects(
        s.start({ sessionId: run.sessionId, agent: agent({ id: 'other' }) }),
        refusedAs('SESSION_OF_OTHER_AGENT'),
      );
      const ids = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, ids);
      await assert.rejects(
        s.start({ sessionId: run.sessionId, agent: run.agent }),
        refusedAs('SESSION_PAUSED'),
      );
    });

    it('a key is one run for its caller, route, agent and body', async () => {
      const s = step();
      const key = {
        orgId: 'acme',
        caller: 'ada',
        route: 'run' as const,
        agentId: 'agent',
        target: '',
        key: randomUUID(),
        bodyHash: 'h',
      };
      const first = await s.start({ key });
      const other = { ...first, runId: `${first.runId}x`, sessionId: randomUUID() };
      assert.deepEqual(await bench().store.asOrg('acme', (tx) => startRun(tx, other)), {
        kind: 'REPLAYED',
        runId: first.runId,
      });
      await assert.rejects(
        bench().store.asOrg('acme', (tx) =>
          startRun(tx, { ...other, key: { ...key, bodyHash: 'other' } }),
        ),
        refusedAs('IDEMPOTENCY_KEY_REUSED'),
      );
      assert.equal(
        (await s.start({ key: { ...key, caller: 'bob' } })).runId === first.runId,
        false,
      );
    });
  });

  describe('a turn', () => {
    it('is written once: a second attempt finds the first reply, and its tokens are counted', async () => {
      const s = step();
      const run = await s.start();
      const [one, two] = [randomUUID(), randomUUID()];
      for (const id of [one, two])
        await bench().store.asWorker((tx) => beginTurn(tx, run.runId, 1, id));
      const reply = (text: string) => ({
        kind: 'ANSWER' as const,
        text,
        reasoning: '',
        model: 'm',
        finishReason: 'stop',
        calls: [],
      });
      const usage = { promptTokens: 5, completionTokens: 2, estimated: false };
      await bench().store.asWorker((tx) =>
        recordReply(tx, run.runId, 1, one, reply('first'), usage),
      );
      const second = await bench().store.asWorker((tx) =>
        recordReply(tx, run.runId, 1, two, reply('second'), usage),
      );
      assert.equal(second.kind === 'RECORDED' && second.reply.text, 'first');
      assert.equal((await s.read(run)).promptTokens, 10);
      const third = await bench().store.asWorker((tx) => beginTurn(tx, run.runId, 1, randomUUID()));
      assert.equal(third.kind, 'REPLIED');
    });

    it('of a run that has ended is refused, but what it cost is added', async () => {
      const s = step();
      const run = await s.start();
      const id = randomUUID();
      await bench().store.asWorker((tx) => beginTurn(tx, run.runId, 1, id));
      await s.cancel(run);
      const recorded = await bench().store.asWorker((tx) =>
        recordReply(
          tx,
          run.runId,
          1,
          id,
          {
            kind: 'ANSWER',
            text: 'late',
            reasoning: '',
            model: 'm',
            finishReason: 'stop',
            calls: [],
          },
          { promptTokens: 7, completionTokens: 3, estimated: true },
        ),
      );
      assert.equal(recorded.kind, 'ENDED');
      const record = await s.read(run);
      assert.deepEqual(
        [record.status, record.content, record.promptTokens, record.usageEstimated],
        ['CANCELLED', '', 7, true],
      );
    });
  });

  describe('a call', () => {
    it('is claimed, dispatched and recorded once', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['look']);
      const claim = await s.claim(run, id);
      assert.equal(claim.kind, 'DISPATCH');
      await s.record(run, id, 1);
      assert.deepEqual(await s.claim(run, id), { kind: 'DONE', result: 'ok' });
      assert.deepEqual(
        await s.record(run, id, 1, { kind: 'ANSWERED', result: 'other', isError: true }),
        { kind: 'DONE', result: 'ok' },
      );
    });

    it('that must not be repeated and was let to write is unknown to the next attempt', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['note']);
      const claim = await s.claim(run, id);
      assert.ok(claim.kind === 'DISPATCH');
      const check = () => bench().store.asWorker((tx) => checkClaim(tx, run.runId, id, claim.call));
      assert.equal(await check(), 'GO');
      assert.equal((await s.claim(run, id)).kind, 'UNKNOWN');
      assert.equal((await s.record(run, id, 1)).kind, 'UNKNOWN', 'a late answer is evidence only');
      assert.match((await s.read(run)).calls[0]?.evidence ?? '', /late answer/);
    });

    it('whose worker stalls before it is let to write is made by another, once, and the stalled one sends nothing', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['note']);
      const stalled = await s.claim(run, id);
      const other = await s.claim(run, id);
      assert.ok(stalled.kind === 'DISPATCH' && other.kind === 'DISPATCH');
      const check = (claim: typeof stalled) =>
        bench().store.asWorker((tx) => checkClaim(tx, run.runId, id, claim.call));
      assert.equal(await check(stalled), 'LOST');
      assert.equal(await check(other), 'GO');
      assert.equal((await s.claim(run, id)).kind, 'UNKNOWN', 'from then on it may have happened');
    });

    it('that was handed back is handed back again, where the reply to that was lost', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, [id]);
      await s.vote(run, person('lea'), all('APPROVE'));
      await s.claim(run, id);
      const end = { kind: 'UNANSWERED', evidence: 'cut' } as const;
      for (let n = 1; n <= 2; n++) assert.equal((await s.record(run, id, 1, end)).kind, 'AGAIN');
      assert.equal((await s.read(run)).calls[0]?.state, 'APPROVED');
    });

    it('that may be repeated is dispatched three times at most, then it is unknown; a read-only one is an error', async () => {
      for (const [name, end] of [
        ['send', 'UNKNOWN'],
        ['look', 'DONE'],
      ] as const) {
        const s = step();
        const run = await s.start();
        const [id = ''] = await s.asks(run, 1, [name]);
        if (name === 'send') {
          await s.pause(run, 1, 1, [id]);
          await s.vote(run, person('lea'), all('APPROVE'));
        }
        for (let n = 1; n <= 3; n++) {
          const claim = await s.claim(run, id);
          assert.equal(claim.kind === 'DISPATCH' && claim.call.n, n);
          if (n < 3)
            assert.equal(
              (await s.record(run, id, n, { kind: 'UNANSWERED', evidence: 'cut' })).kind,
              'AGAIN',
            );
        }
        assert.equal(
          (await s.record(run, id, 3, { kind: 'UNANSWERED', evidence: 'cut' })).kind,
          end,
        );
      }
    });

    it('is not dispatched once the time of its run is used up', async () => {
      const s = step();
      const limits = { ...agent().limits, timeoutMs: 0 };
      const run = await s.start({ agent: agent({ limits }) });
      const [id = ''] = await s.asks(run, 1, ['look']);
      assert.equal((await s.claim(run, id)).kind, 'TIME_OVER');
      assert.equal((await s.read(run)).calls[0]?.state, 'PROPOSED');
    });

    it('a result of an older dispatch is fenced off', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['look']);
      await s.claim(run, id);
      await s.claim(run, id);
      await s.record(run, id, 1, { kind: 'ANSWERED', result: 'stale', isError: false });
      assert.equal((await s.read(run)).calls[0]?.state, 'DISPATCHING');
      await s.record(run, id, 2, { kind: 'ANSWERED', result: 'fresh', isError: false });
      assert.equal((await s.read(run)).calls[0]?.result, 'fresh');
    });

    it('is not dispatched once the run has ended, and its late outcome is still recorded', async () => {
      const s = step();
      const run = await s.start();
      const [a = '', b = ''] = await s.asks(run, 1, ['look', 'look']);
      await s.claim(run, a);
      await s.cancel(run);
      assert.equal((await s.claim(run, b)).kind, 'ENDED');
      await s.record(run, a, 1);
      const record = await s.read(run);
      assert.deepEqual(
        record.calls.map((c) => c.state),
        ['SUCCEEDED', 'CLOSED'],
      );
    });

    it('that may have happened stays unknown when the run ends before it is done again', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['note']);
      await s.claim(run, id);
      await s.record(run, id, 1, { kind: 'UNANSWERED', evidence: 'cut' });
      await s.pause(run, 1, 1, [id], 'OUTCOME_UNKNOWN');
      await s.vote(run, person('lea'), one(id, 'APPROVE', {}, { pauseId: s.pauseId(run, 1, 1) }));
      await s.cancel(run);
      assert.equal((await s.read(run)).calls[0]?.state, 'LEFT');
    });

    it('a guarded one is never claimed without an approval', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['send']);
      assert.equal((await s.claim(run, id)).kind, 'ASK_AGAIN');
      await s.pause(run, 1, 1, [id]);
      assert.equal((await s.claim(run, id)).kind, 'ASK_AGAIN');
      await s.vote(run, person('lea'), all('REJECT'));
      assert.equal((await s.claim(run, id)).kind, 'DONE');
    });

    it('a row changed behind the approval is proposed again, not run; also between the claim and the write', async () => {
      const s = step();
      const change = (id: string, text: string) =>
        sql`update calls set arguments = ${text} where call_id = ${id}`.execute(bench().db.kysely);
      for (const late of [false, true]) {
        const run = await s.start();
        const [id = ''] = await s.asks(run, 1, ['send']);
        await s.pause(run, 1, 1, [id]);
        await s.vote(run, person('lea'), all('APPROVE'));
        if (late) {
          const claim = await s.claim(run, id);
          assert.equal(claim.kind, 'DISPATCH');
          await change(id, '{"x":2}');
          const check = await bench().store.asWorker((tx) =>
            checkClaim(tx, run.runId, id, claim.kind === 'DISPATCH' ? claim.call : assert.fail()),
          );
          assert.equal(check, 'ASK_AGAIN');
        } else {
          await change(id, '{"x":2}');
          assert.equal((await s.claim(run, id)).kind, 'ASK_AGAIN');
        }
        await s.pause(run, 1, 2, [id]);
        const open = (await s.read(run)).calls[0];
        assert.deepEqual(
          [open?.state, open?.askedAgain, open?.arguments],
          ['PROPOSED', 'ARGUMENTS_CHANGED', '{"x":2}'],
        );
        assert.equal((await s.claim(run, id)).kind, 'ASK_AGAIN');
        await assert.rejects(
          s.vote(run, person('lea'), all('APPROVE')),
          refusedAs('CALL_ID_REQUIRED'),
          'a repeated click does not open it',
        );
      }
    });

    it('a tool in code that changed since the approval is asked about again', async () => {
      const s = step();
      const run = await s.start();
      const [id = ''] = await s.asks(run, 1, ['send']);
      await s.pause(run, 1, 1, [id]);
      await s.vote(run, person('lea'), all('APPROVE'));
      assert.equal((await s.claim(run, id, 'v2')).kind, 'ASK_AGAIN');
      await s.pause(run, 1, 2, [id]);
      assert.equal((await s.read(run)).calls[0]?.askedAgain, 'TOOL_CHANGED');
      await s.vote(run, person('lea'), one(id, 'APPROVE'));
      assert.equal((await s.claim(run, id, 'v2')).kind, 'DISPATCH');
    });
  });

  describeApprovedTool(bench);
  describeServerTools(bench);
  describeEnds(bench);
  describeLastLook(bench);
  describeGone(bench);
  describeRetention(bench);
  describePauses(bench);
  describeRejections(bench);
  describeRules(bench);
  describeGrants(bench);
  describeWithdrawals(bench);
  describeReconciled(bench);
  describeSeals(bench);
  describeEffects(bench);
  describeRetry(bench);
  describeHistory(bench);
}
