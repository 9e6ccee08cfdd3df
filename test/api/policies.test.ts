// What a policy says before it is used: of one call, and of calls that are kept.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { agent, newOrg, startApiRig, type ApiRig, type Caller, type Json } from './api-rig.ts';
import { isProblem } from './problems.ts';
import { sqlOfRun } from './sql-of-run.ts';

const INPUT = {
  type: 'object',
  properties: { to: { type: 'string' }, turn: { type: 'integer' } },
  required: ['to', 'turn'],
  additionalProperties: false,
};
const SMALL = { name: 'small', when: 'args.to == "ada" && args.turn >= 0', then: 'never' } as const;
const LATE = { name: 'late', when: 'args.turn > 1', then: 'refuse', reason: 'Too late.' } as const;
const [send] = agent('x').tools;
const ruled = agent('ruled', {
  tools: [
    { ...(send ?? assert.fail()), input: INPUT, rules: [SMALL, LATE], otherwise: 'required' },
  ],
});
const unruled = agent('unruled', {
  tools: [{ ...(send ?? assert.fail()), input: INPUT }],
});

describe('a policy, before it is used', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig({ agents: new Map([ruled, unruled].map((a) => [a.id, a])) });
  });
  after(() => api.close());

  const check = (caller: Caller, args: object, more: object = {}) =>
    caller.call('POST', '/api/agents/ruled/policy/check', {
      body: { tool: 'send_email', arguments: args, ...more },
    });

  it('says what would become of a call, and by which rules', async () => {
    const ada = api.as('ada');
    const asked = (await check(ada, { to: 'lea', turn: 1 })).json;
    assert.deepEqual(
      [asked.then, asked.rules, asked.quorum, asked.approvers],
      ['required', [], 1, null],
    );
    const free = (await check(ada, { to: 'ada', turn: 1 })).json;
    assert.equal(free.then, 'never');
    assert.deepEqual(
      free.rules.map((rule: Json) => [rule.name, rule.then]),
      [['small', 'never']],
    );
    const refused = (await check(ada, { to: 'ada', turn: 2 })).json;
    assert.equal(refused.then, 'refuse');
    assert.match(refused.reason, /Too late\./);
  });

  it('refuses arguments outside the schema, a tool that there is not, and who may not read runs', async () => {
    const ada = api.as('ada');
    isProblem(await check(ada, { to: 'ada' }), 400, 'INVALID_REQUEST');
    isProblem(await check(ada, {}, { tool: 'nothing' }), 400, 'INVALID_REQUEST');
    isProblem(
      await check(api.as('ada', { scope: 'runs:write' }), { to: 'ada', turn: 1 }),
      403,
      'INSUFFICIENT_SCOPE',
    );
  });

  async function kept(org: string): Promise<readonly string[]> {
    const ada = api.as('ada', { org });
    const votes: readonly object[] = [
      { action: 'APPROVE' },
      { action: 'REJECT', reason: 'Not to her.' },
      { action: 'APPROVE', arguments: { to: 'lea', turn: 1 } },
    ];
    const callIds: string[] = [];
    for (const vote of votes) {
      const run = (await ada.run('unruled', 'pause')).json;
      const callId: string = run.pending[0].callId;
      callIds.push(callId);
      const decided = await ada.decide('unruled', run.runId, { callId, ...vote });
      assert.equal(decided.status, 200, decided.text);
    }
    return callIds;
  }
  const backtest = (caller: Caller, rules: readonly object[], more: object = {}) =>
    caller.call('POST', '/api/policies/backtest', {
      body: {
        agentId: 'unruled',
        rules,
        from: new Date(Date.now() - 60_000).toISOString(),
        to: new Date(Date.now() + 60_000).toISOString(),
        ...more,
      },
    });

  it('says how kept calls would have fared, with what people rejected or edited and it lets through', async () => {
    const org = newOrg();
    const callIds = await kept(org);
    const admin = api.as('root', { org, scope: 'admin' });
    const { json, text } = await backtest(admin, [SMALL]);
    assert.equal(json.calls, 3, text);
    assert.deepEqual(
      json.changed.map((one: Json) => [one.callId, one.was, one.would]),
      callIds.map((callId) => [callId, 'required', 'never']),
    );
    assert.deepEqual(
      [json.rejectedByPeopleButLetThrough, json.editedByPeopleButLetThrough],
      [1, 1],
    );
    const strict = (await backtest(admin, [{ ...LATE, when: 'args.turn > 0' }])).json;
    assert.deepEqual(new Set(strict.changed.map((one: Json) => one.would)), new Set(['refuse']));
    assert.equal(strict.rejectedByPeopleButLetThrough, 0);
    assert.equal((await backtest(admin, [SMALL], { to: '2020-01-01T00:00:00Z' })).json.calls, 0);
    const others = api.as('root', { org: newOrg(), scope: 'admin' });
    assert.equal((await backtest(others, [SMALL])).json.calls, 0);
  });

  it('says of more than 20,000 calls what to do', async () => {
    const org = newOrg();
    const [callId = ''] = await kept(org);
    const admin = api.as('root', { org, scope: 'admin' });
    await sqlOfRun(
      api.store,
      sql`insert into calls select (jsonb_populate_record(c, jsonb_build_object('call_id', c.call_id || g, 'idx', g))).*
        from calls c, generate_series(1, 19998) g where c.call_id = ${callId}`,
    );
    const [{ path, message }] = isProblem(await backtest(admin, [SMALL]), 400, 'INVALID_REQUEST')
      .json.errors;
    assert.equal(path, 'from');
    assert.match(message, /take less time at once/);
  });

  it('of a backtest takes rules as a file would, from admins alone', async () => {
    const admin = api.as('root', { org: newOrg(), scope: 'admin' });
    const wrong = async (when: string) =>
      isProblem(await backtest(admin, [{ ...SMALL, when }]), 400, 'INVALID_REQUEST').json.errors;
    assert.equal((await wrong('args.nothing > 1'))[0].path, 'rules.0.when');
    assert.match((await wrong('args.to == "ada"'))[0].message, /turn/);
    isProblem(await backtest(admin, [SMALL], { agentId: 'nobody' }), 404, 'NOT_FOUND');
    isProblem(await backtest(api.as('ada'), [SMALL]), 403, 'INSUFFICIENT_SCOPE');
  });
});
