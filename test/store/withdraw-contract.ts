// What every store must keep of calls that the run's user takes back, on both databases.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { AppError } from '../../src/contract/errors.ts';
import { transcriptOf } from '../../src/activities/transcript.ts';
import { leaseOutboxLines } from '../../src/store/outbox.ts';
import type { KeyUse } from '../../src/store/runs/keys.ts';
import { lockRun, type NewRun } from '../../src/store/runs/runs.ts';
import { startOrWithdraw, withdrawCalls } from '../../src/store/runs/withdraw.ts';
import { readPause } from '../../src/store/calls/decisions.ts';
import { beginTurn } from '../../src/store/turns/turns.ts';
import { agent, all, drive, one, person, refusedAs, type Bench } from './fixture.ts';

export function describeWithdrawals(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const takesBack = (run: NewRun, message?: string, withdrawalId: string = randomUUID()) =>
    bench().store.asOrg(run.orgId, (tx) =>
      withdrawCalls(tx, run.runId, { withdrawalId, by: 'ada', message }),
    );
  const saysMore = (run: NewRun, more: Partial<NewRun> = {}) =>
    bench().store.asOrg(run.orgId, (tx) =>
      startOrWithdraw(tx, {
        ...{ ...run, runId: `run_${randomUUID()}`, input: 'Something else.' },
        ...{ onPaused: 'withdraw' },
        ...more,
      }),
    );
  async function paused(names: readonly string[] = ['send', 'pay'], more: Partial<NewRun> = {}) {
    const s = step();
    const run = await s.start(more);
    const ids = await s.asks(run, 1, names);
    await s.pause(run, 1, 1, ids);
    return { s, run, ids };
  }

  describe('what waits, taken back', () => {
    it('is decided and never dispatched, and the same run goes on with what its user said', async () => {
      const { s, run, ids } = await paused();
      await takesBack(run, 'Something else.');
      const record = await s.read(run);
      assert.equal(record.status, 'RUNNING');
      for (const { state, decision, result } of record.calls) {
        assert.deepEqual(
          [state, decision?.action, decision?.by],
          ['REJECTED', 'WITHDRAWN', ['ada']],
        );
        assert.match(result ?? '', /taken back by the user/);
      }
      assert.notEqual((await s.claim(run, ids[0] ?? '')).kind, 'DISPATCH');
      const begun = await bench().store.asWorker((tx) => beginTurn(tx, run.runId, 2, randomUUID()));
      const told = begun.kind === 'WORK' ? transcriptOf(begun.work).slice(-3) : [];
      assert.deepEqual(
        told.map(({ role, text }) => [role, text]),
        [
          ['tool', 'This call was not run: it was taken back by the user.'],
          ['tool', 'This call was not run: it was taken back by the user.'],
          ['user', 'Something else.'],
        ],
      );
      const [line] = await bench().store.asReconciler(async (tx) =>
        (await leaseOutboxLines(tx, run.runId, 9, randomUUID())).filter(
          ({ message }) => message.kind === 'SIGNAL',
        ),
      );
      assert.ok(line !== undefined, 'its workflow is woken');
    });

    it('is no rejection: the workflow is told which were withdrawn, and the same call is asked about again', async () => {
      const { s, run, ids } = await paused(['send']);
      await takesBack(run);
      const state = await bench().store.asWorker(async (tx) => {
        const locked = (await lockRun(tx, run.runId)) ?? assert.fail();
        return readPause(tx, locked, s.pauseId(run, 1, 1));
      });
      assert.deepEqual([state.open, state.approved, state.withdrawn], [false, [], ids]);
      await s.asks(run, 2, ['send']);
      assert.equal((await s.read(run)).calls.at(-1)?.state, 'PROPOSED');
    });

    it('has one decision each, whoever comes first: the user or a voter', async () => {
      for (let i = 0; i < 10; i++) {
        const { s, run } = await paused(['send']);
        const vote = () => s.vote(run, person('lea'), all('APPROVE'));
        const both = i % 2 ? [vote(), takesBack(run)] : [takesBack(run), vote()];
        await Promise.allSettled(both);
        const [call] = (await s.read(run)).calls;
        const approved = call?.decision?.action === 'APPROVE';
        assert.equal(call?.state, approved ? 'APPROVED' : 'REJECTED');
        assert.equal(call.decision?.action, approved ? 'APPROVE' : 'WITHDRAWN');
        await assert.rejects(vote().then(() => Promise.reject(new Error(approved ? 'same' : ''))));
      }
    });

    it('comes too late for what is decided, and a vote too late for what is taken back', async () => {
      const { s, run, ids } = await paused(['send']);
      await takesBack(run);
      const late = s.vote(run, person('lea'), one(ids[0] ?? '', 'APPROVE'));
      await assert.rejects(late, refusedAs('ALREADY_DECIDED'));
      const again = await takesBack(run);
      assert.equal(again.kind === 'REFUSED' && again.error.code, 'NOT_PAUSED');
    });

    it('leaves a call of unknown outcome to people', async () => {
      const s = step();
      const run = await s.start();
      const [note = ''] = await s.asks(run, 1, ['note']);
      const { n } = await s.goesOut(run, note);
      await s.record(run, note, n, { kind: 'UNANSWERED', evidence: 'cut' });
      await s.pause(run, 1, 1, [note], 'OUTCOME_UNKNOWN');
      await takesBack(run, 'And then?');
      const record = await s.read(run);
      assert.deepEqual([record.status, record.calls[0]?.state], ['PAUSED', 'UNKNOWN']);
    });

    it('is withdrawn once by one request, however often its transaction is played', async () => {
      const { s, run } = await paused(['send']);
      const id = randomUUID();
      assert.deepEqual(await takesBack(run, 'More.', id), await takesBack(run, 'More.', id));
      const runId = `run_${randomUUID()}`;
      const other = await paused(['send']);
      const first = await saysMore(other.run, { runId });
      assert.deepEqual(first, { kind: 'WITHDREW', runId: other.run.runId });
      assert.deepEqual(await saysMore(other.run, { runId }), first);
      assert.equal((await s.read(run)).calls.length, 1);
    });
  });

  describe('a message on a session whose run is paused', () => {
    const key = (run: NewRun): KeyUse => ({
      ...{ orgId: run.orgId, caller: 'ada', agentId: run.agent.id, target: '' },
      ...{ route: 'run', key: randomUUID(), bodyHash: 'h' },
    });

    it('goes to that run where it says withdraw, and under its key names it again', async () => {
      const { run } = await paused();
      const use = key(run);
      const runId = run.runId;
      assert.deepEqual(await saysMore(run, { key: use }), { kind: 'WITHDREW', runId });
      assert.deepEqual(await saysMore(run, { key: use }), { kind: 'REPLAYED', runId });
    });

    it('is refused with media, of an agent that is switched off, and takes no key where there is nothing to take back', async () => {
      const { s, run } = await paused();
      const media = [{ type: 'image/png', url: 'https://example.org/a.png' }];
      await assert.rejects(saysMore(run, { media }), refusedAs('INVALID_REQUEST'));
      const refusal = new AppError('AGENT_INACTIVE', 'off');
      await assert.rejects(saysMore(run, { refusal }), refusedAs('AGENT_INACTIVE'));
      assert.equal((await s.read(run)).status, 'PAUSED');
      const fresh = await s.start();
      const use: KeyUse = { ...key(fresh), route: 'withdraw', target: fresh.runId };
      const withdraws = () =>
        bench().store.asOrg('acme', (tx) =>
          withdrawCalls(tx, fresh.runId, { withdrawalId: randomUUID(), by: 'ada' }, use),
        );
      for (let n = 0; n < 2; n++) await assert.rejects(withdraws(), refusedAs('NOT_PAUSED'));
    });

    it('waits behind it where it says queue, and is refused where it says nothing', async () => {
      const { run } = await paused();
      const queued = await saysMore(run, { onPaused: 'queue' });
      assert.ok(queued.kind === 'STARTED' && !queued.released);
      for (const more of [{ onPaused: 'reject' }, { onPaused: undefined as never }] as const)
        await assert.rejects(saysMore(run, more), refusedAs('SESSION_PAUSED'));
    });

    it('starts a run where none is paused, and is no message to another agent’s', async () => {
      const { run } = await paused();
      const free = await saysMore({ ...run, sessionId: randomUUID() });
      assert.equal(free.kind, 'STARTED');
      const other = agent({ id: 'another' });
      await assert.rejects(saysMore(run, { agent: other }), refusedAs('SESSION_OF_OTHER_AGENT'));
    });
  });
}
