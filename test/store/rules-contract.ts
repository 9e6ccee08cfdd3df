// What every store must keep of calls whose tool has rules over arguments, on both databases.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import type { Rule, ToolSnapshot } from '../../src/contract/agent.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import type { CallRecord } from '../../src/store/queries/call-record.ts';
import { agent, drive, one, person, refusedAs, tool, type Bench } from './fixture.ts';

const INPUT = {
  type: 'object',
  properties: { amountCents: { type: 'integer' }, orderId: { type: 'string' } },
};
const rule = (name: string, when: string, then: Rule['then'], more: Partial<Rule> = {}): Rule => ({
  ...{ name, when, then },
  ...more,
});
const small = rule(
  'small',
  'args.amountCents <= 2000 && args.orderId == "o-1" && run.sumOf("args.amountCents") <= 2500',
  'never',
);
const byHand = rule('by_hand', 'args.amountCents > 100000', 'refuse', { reason: 'By hand.' });
const two = rule('two', 'args.amountCents > 50000', 'required', {
  quorum: 2,
  approvers: ['role:lead'],
});

export function describeRules(bench: () => Bench): void {
  const step = () => drive(bench().store);
  const ruled = (rules: readonly Rule[], more: Partial<ToolSnapshot> = {}) =>
    agent({
      tools: [tool('refund', { input: INPUT, rules: [...rules], otherwise: 'required', ...more })],
    });
  const args = (amountCents: number): string => `{"amountCents":${amountCents},"orderId":"o-1"}`;
  const last = async (run: NewRun): Promise<CallRecord> => {
    const call = (await step().read(run)).calls.at(-1);
    assert.ok(call !== undefined);
    return call;
  };
  const auditOf = async (run: NewRun): Promise<readonly Record<string, unknown>[]> => {
    const { rows } = await sql<{ data: Record<string, unknown> }>`
      select data from audit where run_id = ${run.runId} and action = 'call.judged' order by id`.execute(
      bench().db.kysely,
    );
    return rows.map((row) => row.data);
  };

  describe('a call whose tool has rules', () => {
    it('is judged where it is stored, with what the run did before: its sum, its earlier calls of the turn', async () => {
      const s = step();
      const run = await s.start({ agent: ruled([small]) });
      await s.asks(run, 1, ['refund', 'refund', 'refund'], args(2000));
      const calls = (await s.read(run)).calls;
      assert.deepEqual(
        calls.map((call) => call.guarded),
        [false, false, true],
        'the third is over the sum',
      );
      const other = await s.start({ agent: ruled([small]) });
      await s.asks(other, 1, ['refund'], args(2000));
      assert.equal((await last(other)).guarded, false, 'another run begins at nothing');
    });

    it('is dispatched unasked where a rule lets it through, and the record says which', async () => {
      const s = step();
      const run = await s.start({ agent: ruled([small, byHand]) });
      const [callId = ''] = await s.asks(run, 1, ['refund'], args(100));
      assert.equal((await s.claim(run, callId)).kind, 'DISPATCH');
      const [line] = await auditOf(run);
      assert.equal(line?.['then'], 'never');
      assert.deepEqual(JSON.stringify(line?.['rules']).match(/"name":"\w+"/g), ['"name":"small"']);
    });

    it('is answered with the reason where a rule refuses it, and is never dispatched', async () => {
      const s = step();
      const run = await s.start({ agent: ruled([small, byHand]) });
      const [callId = ''] = await s.asks(run, 1, ['refund'], args(100_001));
      const call = await last(run);
      assert.deepEqual([call.state, /By hand\./.test(call.result ?? '')], ['FAILED', true]);
      assert.deepEqual(await s.claim(run, callId), { kind: 'DONE', result: call.result });
      assert.equal((await auditOf(run))[0]?.['then'], 'refuse');
    });

    it('is let through by no change of its row: neither of its arguments nor of what was judged', async () => {
      const s = step();
      const changes = [
        sql`arguments = '{"amountCents":99999,"orderId":"o-1"}'`,
        sql`rules = '[]'`,
        sql`approval = 'never'`,
        sql`quorum = 1`,
      ];
      for (const change of changes) {
        const run = await s.start({ agent: ruled([small, two]) });
        const [callId = ''] = await s.asks(run, 1, ['refund'], args(60_000));
        await sql`update calls set ${change} where call_id = ${callId}`.execute(bench().db.kysely);
        assert.notEqual((await s.claim(run, callId)).kind, 'DISPATCH');
      }
      const run = await s.start({ agent: ruled([small]) });
      const [callId = ''] = await s.asks(run, 1, ['refund'], args(100));
      await sql`update calls set arguments = ${args(90_000)} where call_id = ${callId}`.execute(
        bench().db.kysely,
      );
      assert.equal((await s.claim(run, callId)).kind, 'DONE');
      assert.equal((await last(run)).state, 'FAILED');
    });

    it('needs as many people, and those people, as the rule says', async () => {
      const s = step();
      const run = await s.start({ agent: ruled([two]) });
      const ids = await s.asks(run, 1, ['refund'], args(60_000));
      const [callId = ''] = ids;
      await s.pause(run, 1, 1, ids);
      const lead = (name: string) => person(name, { roles: ['lead'] });
      await assert.rejects(
        s.vote(run, person('max'), one(callId, 'APPROVE')),
        refusedAs('FORBIDDEN'),
      );
      await s.vote(run, lead('lea'), one(callId, 'APPROVE'));
      assert.equal((await last(run)).decision, null, 'one of two');
      await s.vote(run, lead('ada'), one(callId, 'APPROVE'));
      assert.deepEqual((await last(run)).decision?.by, ['lea', 'ada']);
      assert.equal((await s.claim(run, callId)).kind, 'DISPATCH');
    });

    it('is judged again as an approver edits it: not into a refusal, nor into more people', async () => {
      const s = step();
      const run = await s.start({ agent: ruled([small, byHand, two]) });
      const ids = await s.asks(run, 1, ['refund'], args(3000));
      const [callId = ''] = ids;
      await s.pause(run, 1, 1, ids);
      const edit = (amountCents: number) =>
        s.vote(
          run,
          person('lea'),
          one(callId, 'APPROVE', { arguments: { amountCents, orderId: 'o-1' } }),
        );
      await assert.rejects(edit(300_000), refusedAs('INVALID_REQUEST'));
      await assert.rejects(edit(60_000), refusedAs('INVALID_REQUEST'));
      await edit(1000);
      assert.equal((await last(run)).arguments, args(1000));
      assert.equal((await s.claim(run, callId)).kind, 'DISPATCH');
    });

    it('is asked about again, as its rules say, where its tool is another one since', async () => {
      const s = step();
      const run = await s.start({ agent: ruled([two]) });
      const ids = await s.asks(run, 1, ['refund'], args(60_000));
      const [callId = ''] = ids;
      await s.pause(run, 1, 1, ids);
      for (const name of ['lea', 'ada'])
        await s.vote(run, person(name, { roles: ['lead'] }), one(callId, 'APPROVE'));
      assert.equal((await s.claim(run, callId, 'v2')).kind, 'ASK_AGAIN');
      const again = await last(run);
      assert.deepEqual(
        [again.askedAgain, again.quorum, again.approvers],
        ['TOOL_CHANGED', 2, ['role:lead']],
      );
    });

    it('is asked about where it was rejected before, whatever lets it through now', async () => {
      const s = step();
      const first = rule('first', 'size(run.calls) == 0', 'required');
      const run = await s.start({ agent: ruled([first], { otherwise: 'never' }) });
      const ids = await s.asks(run, 1, ['refund'], args(100));
      await s.pause(run, 1, 1, ids);
      await s.vote(run, person('lea'), one(ids[0] ?? '', 'REJECT', { reason: 'twice' }));
      await s.asks(run, 2, ['refund'], args(100));
      assert.match((await last(run)).result ?? '', /rejected before by lea: twice/);
    });

    it('counts rejected and refused calls for nothing', async () => {
      const s = step();
      const run = await s.start({ agent: ruled([small, byHand]) });
      const ids = await s.asks(run, 1, ['refund'], args(90_000));
      await s.pause(run, 1, 1, ids);
      await s.vote(run, person('lea'), one(ids[0] ?? '', 'REJECT'));
      await s.asks(run, 2, ['refund'], args(150_000));
      await s.asks(run, 3, ['refund'], args(2000));
      assert.equal((await last(run)).guarded, false);
    });

    it('is judged with the roles of a user who started the run, and asked about where they are not known', async () => {
      const s = step();
      const staff = rule('staff', '"support" in user.roles', 'never');
      const start = (userRoles?: readonly string[]) =>
        s.start({ agent: ruled([staff]), ...(userRoles === undefined ? {} : { userRoles }) });
      for (const [roles, guarded] of [
        [['support'], false],
        [['sales'], true],
        [undefined, true],
      ] as const) {
        const run = await start(roles);
        await s.asks(run, 1, ['refund'], args(100));
        assert.equal((await last(run)).guarded, guarded, String(roles));
      }
    });
  });

  describe('a call whose tool has a sentence', () => {
    const SUMMARY = 'Refund {amountCents | money} of {orderId}';
    const told = (summary = SUMMARY) =>
      agent({ tools: [tool('refund', { input: INPUT, summary })] });

    it('keeps it, rendered once, and its hash covers it', async () => {
      const s = step();
      const hashes = new Set<string>();
      for (const summary of [SUMMARY, 'Pay {amountCents} for {orderId}']) {
        const run = await s.start({ agent: told(summary) });
        await s.asks(run, 1, ['refund'], args(123_456));
        hashes.add((await last(run)).argumentsHash);
      }
      assert.equal(hashes.size, 2);
      const run = await s.start({ agent: told() });
      const [callId = ''] = await s.asks(run, 1, ['refund'], args(123_456));
      assert.equal((await last(run)).summary, 'Refund 1 234.56 of o-1');
      await s.pause(run, 1, 1, [callId]);
      await s.vote(run, person('lea'), one(callId, 'APPROVE'));
      await sql`update calls set summary = 'Refund 0.01 of o-1' where call_id = ${callId}`.execute(
        bench().db.kysely,
      );
      assert.equal((await s.claim(run, callId)).kind, 'ASK_AGAIN');
      const again = await last(run);
      assert.deepEqual(
        [again.askedAgain, again.summary],
        ['ARGUMENTS_CHANGED', 'Refund 1 234.56 of o-1'],
      );
    });

    it('has another one where an approver edits it', async () => {
      const s = step();
      const run = await s.start({ agent: told() });
      const ids = await s.asks(run, 1, ['refund'], args(123_456));
      await s.pause(run, 1, 1, ids);
      const edited = { amountCents: 100, orderId: 'o-2' };
      await s.vote(run, person('lea'), one(ids[0] ?? '', 'APPROVE', { arguments: edited }));
      assert.equal((await last(run)).summary, 'Refund 1.00 of o-2');
      assert.equal((await s.claim(run, ids[0] ?? '')).kind, 'DISPATCH');
    });
  });
}
