// What every store must keep of effects by name: one of it in an org, on both databases.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { AgentSnapshot, ToolSnapshot } from '../../src/contract/agent.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { agent, all, drive, one, person, tool, type Bench } from './fixture.ts';

const INPUT = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] };

export function describeEffects(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const till = (more: Partial<ToolSnapshot> = {}, id = 'till'): AgentSnapshot =>
    agent({
      id,
      tools: [
        tool('charge', {
          ...{ input: INPUT, idempotent: false, approval: 'never', effectKey: 'charge:{id}' },
          ...more,
        }),
      ],
    });
  async function asks(id: string, of = till(), more: Partial<NewRun> = {}) {
    const s = step();
    const run = await s.start({ agent: of, ...more });
    const [callId = ''] = await s.asks(run, 1, ['charge'], JSON.stringify({ id }));
    const claim = async () => (await s.claim(run, callId)).kind;
    const call = async () => (await s.read(run)).calls[0] ?? assert.fail();
    const ends = async (isError = false, answered = true): Promise<void> => {
      const { n } = await s.goesOut(run, callId);
      const answer = { kind: 'ANSWERED', result: 'ok', isError } as const;
      await s.record(run, callId, n, answered ? answer : { kind: 'UNANSWERED', evidence: 'cut' });
    };
    return { s, run, callId, claim, call, ends };
  }
  const isTold = async (
    { call, claim }: Awaited<ReturnType<typeof asks>>,
    first: NewRun,
    what = /not known whether it was done there/,
  ) => {
    assert.equal(await claim(), 'DONE');
    const { state, result } = await call();
    assert.equal(state, 'FAILED');
    assert.ok(result?.includes(first.runId), result ?? '');
    assert.match(result ?? '', what);
  };
  /** The runs of these that the audit says have taken an effect, a line each. */
  const takenBy = async (...runs: readonly NewRun[]): Promise<readonly (string | null)[]> =>
    (
      await bench()
        .db.kysely.selectFrom('audit')
        .select('run_id')
        .where('action', '=', 'effect.taken')
        .where(
          'run_id',
          'in',
          runs.map(({ runId }) => runId),
        )
        .execute()
    ).map((line) => line.run_id);

  describe('an effect that has a name', () => {
    it('is had once in an org, by whichever run and agent asks first; others are told before anybody is asked', async () => {
      const id = randomUUID();
      const first = await asks(id);
      await first.ends();
      const second = await asks(id, till({ approval: 'required' }, 'another'));
      assert.equal((await second.call()).state, 'FAILED', 'nobody is asked about it');
      await isTold(second, first.run, /it was done there/);
      assert.deepEqual(await takenBy(first.run, second.run), [first.run.runId]);
      assert.equal(await (await asks(randomUUID())).claim(), 'DISPATCH', 'another name');
      const elsewhere = await asks(id, till(), { orgId: `org-${randomUUID()}` });
      assert.equal(await elsewhere.claim(), 'DISPATCH', 'another org');
    });

    it('of twenty calls at once one is dispatched', async () => {
      const id = randomUUID();
      const calls = await Promise.all(Array.from({ length: 20 }, () => asks(id)));
      const kinds = await Promise.all(calls.map(({ claim }) => claim()));
      assert.equal(kinds.filter((kind) => kind === 'DISPATCH').length, 1);
      assert.equal(kinds.filter((kind) => kind === 'EFFECT_WAITS').length, 19);
    });

    it('waits while it is not known what became of the first, and is told once it is', async () => {
      const id = randomUUID();
      const first = await asks(id);
      await first.ends(false, false);
      assert.equal((await first.call()).state, 'UNKNOWN');
      const second = await asks(id, till({ approval: 'required' }));
      assert.equal(await second.claim(), 'EFFECT_WAITS');
      assert.equal((await second.call()).state, 'PROPOSED');
      await first.s.pause(first.run, 1, 1, [first.callId], 'OUTCOME_UNKNOWN');
      await first.s.vote(
        first.run,
        person('lea'),
        all('REJECT', { pauseId: first.s.pauseId(first.run, 1, 1) }),
      );
      await isTold(second, first.run);
    });

    it('is free again after a call that was rejected, failed or never went out', async () => {
      const id = randomUUID();
      const guarded = await asks(id, till({ approval: 'required' }));
      await isTold(await asks(id), guarded.run, /people are asked about it there/);
      await guarded.s.pause(guarded.run, 1, 1, [guarded.callId]);
      assert.equal((await guarded.call()).effectKey, `charge:${id}`, 'people read its name');
      await guarded.s.vote(guarded.run, person('lea'), all('REJECT'));
      const failed = await asks(id);
      await failed.ends(true);
      const closed = await asks(id);
      await closed.s.cancel(closed.run);
      const last = await asks(id);
      assert.equal(await last.claim(), 'DISPATCH');
    });

    it('of a call whose arguments an approver changed is the one of the new arguments', async () => {
      const [id, other] = [randomUUID(), randomUUID()];
      const { s, run, callId, claim } = await asks(id, till({ approval: 'required' }));
      await s.pause(run, 1, 1, [callId]);
      const edit = { arguments: { id: other } };
      await s.vote(run, person('lea'), one(callId, 'APPROVE', edit));
      assert.equal(await claim(), 'DISPATCH');
      assert.equal(await (await asks(id)).claim(), 'DISPATCH', 'the old name is free');
      assert.equal(await (await asks(other)).claim(), 'EFFECT_WAITS');
    });

    it('is not waited for where its run has ended with nobody left to say what became of it', async () => {
      const id = randomUUID();
      const first = await asks(id);
      await first.s.goesOut(first.run, first.callId);
      await first.s.cancel(first.run);
      await isTold(await asks(id), first.run);
    });

    it('is one for calls of the same turn, too', async () => {
      const s = step();
      for (const approval of ['never', 'required'] as const) {
        const run = await s.start({ agent: till({ approval }) });
        const ids = await s.asks(run, 1, ['charge', 'charge'], JSON.stringify({ id: run.runId }));
        const states = (await s.read(run)).calls.map(({ state }) => state);
        const second = approval === 'never' ? 'PROPOSED' : 'FAILED';
        assert.deepEqual(states, ['PROPOSED', second]);
        if (approval === 'required') continue;
        const kinds = [await s.claim(run, ids[1] ?? ''), await s.claim(run, ids[0] ?? '')];
        assert.deepEqual(
          kinds.map(({ kind }) => kind),
          ['EFFECT_WAITS', 'DISPATCH'],
        );
      }
    });

    it('stays had when its run is deleted', async () => {
      const id = randomUUID();
      const first = await asks(id);
      await first.ends();
      await first.s.answers(first.run, 2, 'Done.');
      await bench().db.kysely.deleteFrom('runs').where('run_id', '=', first.run.runId).execute();
      await isTold(await asks(id), first.run, /its record is deleted/);
    });
  });
}
