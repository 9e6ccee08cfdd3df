import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sql } from 'kysely';
import { WaitingPageSchema } from '../../src/contract/lists.ts';
import { voterProblem, type OpenCall } from '../../src/store/calls/vote-policy.ts';
import { mayVoteOn } from '../../src/store/queries/visibility.ts';
import {
  newOrg,
  startApiRig,
  type ApiRig,
  type Caller,
  type CallerClaims,
  type Json,
} from './api-rig.ts';
import { isProblem } from './problems.ts';

describe('the inbox', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());
  const inbox = async (caller: Caller, query = ''): Promise<Json[]> => {
    const r = await caller.call('GET', `/api/approvals?limit=100${query}`);
    assert.equal(r.status, 200, r.text);
    return WaitingPageSchema.parse(r.json).data;
  };
  const paused = async (caller: Caller, agentId = 'guard', message = 'pause'): Promise<Json> => {
    const { json } = await caller.run(agentId, message);
    assert.equal(json.status, 'PAUSED');
    return json;
  };
  const runIds = (items: readonly Json[]): string[] => items.map((item) => item.runId);

  it('a line is the pending call and whose run it is, with its question', async () => {
    const ada = api.as('ada', {
      org: newOrg(),
      scope: 'runs:write runs:read runs:approve runs:impersonate',
    });
    const run = (await ada.run('guard', 'pause', { userId: 'mia' })).json;
    const { pauseId, runId, sessionId } = run;
    const line = {
      ...run.pending[0],
      pauseId,
      runId,
      sessionId,
      agentId: 'guard',
      userId: 'mia',
      startedBy: 'ada',
      input: 'pause',
    };
    assert.deepEqual(await inbox(ada), [line]);
  });

  it('oldest first, in pages that go on where they ended; decided ones are gone', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const runs = [
      await paused(ada),
      await paused(ada, 'other'),
      await paused(ada),
      await paused(ada),
    ];
    assert.deepEqual(runIds(await inbox(ada)), runIds(runs));
    assert.deepEqual(runIds(await inbox(ada, '&agentId=other')), [runs[1].runId]);
    const first = await ada.call('GET', '/api/approvals?limit=2');
    assert.deepEqual(runIds(first.json.data), runIds(runs.slice(0, 2)));
    assert.match(
      String(first.headers['link']),
      /^<\/api\/approvals\?limit=2&after=[\w-]+>; rel="next"$/,
    );
    await ada.decide('guard', runs[0].runId, { action: 'APPROVE' });
    await ada.decide('guard', runs[2].runId, { action: 'REJECT' });
    const late = await paused(ada);
    const rest = await ada.call('GET', `/api/approvals?limit=2&after=${first.json.nextCursor}`);
    assert.deepEqual(
      [runIds(rest.json.data), rest.json.hasMore],
      [[runs[3].runId, late.runId], false],
    );
    await ada.call('DELETE', `/api/agents/guard/runs/${late.runId}`);
    assert.deepEqual(runIds(await inbox(ada)), [runs[1].runId, runs[3].runId]);
  });

  it('holds what the caller may vote on: policy, four eyes, service tokens, org', async () => {
    const org = newOrg();
    const as = (user: string, claims: CallerClaims = {}): Caller =>
      api.as(user, { org, ...claims });
    const agents = ['guard', 'four_eyes', 'lea_only'];
    const runs = [];
    for (const agentId of agents) runs.push(await paused(as('quinn'), agentId));
    for (const [caller, expected] of [
      [as('quinn'), ['guard']],
      [as('bob'), ['guard', 'four_eyes']],
      [as('lea'), agents],
      [as('rob', { roles: ['boss'] }), agents],
      [as('rob', { roles: ['boss'], service: true }), []],
      [as('lea', { service: true }), ['lea_only']],
      [as('root', { scope: 'admin runs:approve' }), ['guard', 'four_eyes']],
      [api.as('lea', { org: newOrg() }), []],
    ] as const)
      assert.deepEqual(
        (await inbox(caller)).map((line) => line.agentId),
        expected,
      );
    isProblem(
      await as('lea', { scope: 'runs:read admin' }).call('GET', '/api/approvals'),
      403,
      'INSUFFICIENT_SCOPE',
    );
    isProblem(await as('lea').call('GET', '/api/approvals?colour=red'), 400, 'INVALID_REQUEST');
  });

  it('a call whose time is over does not wait any more, and one that a first of two has approved still does', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    await paused(ada, 'expiring');
    assert.deepEqual(await inbox(ada), []);
    const run = await paused(ada, 'quorum_two');
    await ada.decide('quorum_two', run.runId, { action: 'APPROVE' });
    const [line] = await inbox(api.as('bob', { org }));
    assert.deepEqual([line.votesNeeded, line.votes.map((v: Json) => v.by)], [2, ['ada']]);
  });

  it('the question is cut at a thousand characters, never in the middle of one', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const long = `pause${'x'.repeat(994)}😀 and more`;
    await paused(ada, 'guard', long);
    await paused(ada, 'guard', `pause${'x'.repeat(2000)}`);
    assert.deepEqual(
      (await inbox(ada)).map((line) => line.input),
      [`pause${'x'.repeat(994)}`, `pause${'x'.repeat(995)}`],
    );
  });

  it('the right to vote in SQL is the one that judges votes, over generated policies', async () => {
    const seed = Number(process.env['HOLDPOINT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const names = fc.constantFrom('ada', 'bob', 'lea', 'boss');
    const entry = fc.oneof(
      fc.tuple(fc.constantFrom('user:', 'role:'), names).map((parts) => parts.join('')),
      fc.constant('operator'),
    );
    const policy = fc.record({
      approvers: fc.option(fc.array(entry, { minLength: 0, maxLength: 3 })),
      // Of rules: a voter is in every list.
      approversAlso: fc.option(fc.array(fc.array(entry, { maxLength: 3 }), { maxLength: 2 })),
      fourEyes: fc.boolean(),
      guarded: fc.boolean(),
      startedBy: names,
      userId: names,
      subject: names,
      roles: fc.array(fc.oneof(names, entry), { maxLength: 3 }),
      service: fc.boolean(),
      action: fc.constantFrom('APPROVE' as const, 'REJECT' as const),
    });
    const property = fc.asyncProperty(
      fc.array(policy, { minLength: 1, maxLength: 30 }),
      async (policies) => {
        for (const p of policies) {
          const call: OpenCall = {
            ...{
              callId: 'c',
              name: 'tool',
              kind: 'APPROVAL',
              risk: 'normal',
              guarded: p.guarded,
              argumentsHash: '',
              approvers: p.approvers,
              approversAlso: p.approversAlso,
            },
          };
          const judged = voterProblem(p, call, { kind: 'person', ...p }, p.action) === undefined;
          const viewer = {
            subject: p.subject,
            orgId: 'acme',
            scopes: new Set(['runs:approve']),
            roles: p.roles,
            service: p.service,
          };
          const { rows } = await api.store.asWorker((tx) =>
            sql<{ may: boolean }>`select ${mayVoteOn(viewer)} as may from
            (select ${p.userId}::text as user_id, ${p.startedBy}::text as started_by) r,
            (select ${p.approvers === null ? null : JSON.stringify(p.approvers)}::jsonb as approvers, ${p.approversAlso === null ? null : JSON.stringify(p.approversAlso)}::jsonb as approvers_also,
              ${p.guarded ? 'required' : 'never'}::text as approval) c,
            (select ${JSON.stringify({ approvals: { fourEyes: p.fourEyes } })}::jsonb as body) s`.execute(
              tx.db,
            ),
          );
          assert.equal(rows[0]?.may, judged, JSON.stringify(p));
        }
      },
    );
    await fc.assert(property, { seed, numRuns: 100 });
    console.log(`      seed ${seed}`);
  });
});
