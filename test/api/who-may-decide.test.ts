import assert from 'node:assert/strict';
import {
  newOrg,
  startApiRig,
  type ApiRig,
  type Caller,
  type CallerClaims,
  type Json,
} from './api-rig.ts';

describe('who may decide about a pending call', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  const scene = async (agentId: string) => {
    const org = newOrg();
    const as = (user: string, claims: CallerClaims = {}): Caller =>
      api.as(user, { org, ...claims });
    const run = (await as('ada').run(agentId, 'pause')).json;
    assert.equal(run.status, 'PAUSED');
    const seenBy = async (caller: Caller): Promise<Json> =>
      (await caller.read(agentId, run.runId)).json.pending?.[0];
    return { as, run, seenBy };
  };

  it('is said with the call: approvers, four eyes, votes needed, expiry', async () => {
    const { run } = await scene('lea_only');
    const { approvers, fourEyes, votesNeeded, expiresAt } = run.pending[0];
    assert.deepEqual(
      { approvers, fourEyes, votesNeeded, expiresAt },
      {
        approvers: ['user:lea', 'role:boss'],
        fourEyes: false,
        votesNeeded: 1,
        expiresAt: null,
      },
    );
    const four = (await scene('four_eyes')).run.pending[0];
    assert.deepEqual([four.approvers, four.fourEyes], [null, true]);
  });

  it('each caller is told whether a vote of theirs counts, and why not: name, role, service, scope, four eyes', async () => {
    const everyone = 'runs:read runs:approve admin';
    for (const [agentId, user, claims, reason] of [
      ['guard', 'ada', {}, undefined],
      ['guard', 'ada', { scope: 'runs:read' }, /scope runs:approve/],
      ['guard', 'root', { scope: 'runs:read admin' }, /scope runs:approve/],
      ['lea_only', 'ada', {}, /not among those who may decide/],
      ['lea_only', 'lea', {}, undefined],
      ['lea_only', 'rob', { roles: ['boss'] }, undefined],
      ['lea_only', 'rob', { roles: ['boss'], service: true, scope: everyone }, /service token/],
      ['four_eyes', 'ada', {}, /four eyes/],
      ['four_eyes', 'bob', {}, undefined],
    ] as const) {
      const { as, seenBy } = await scene(agentId);
      const { youMay, whyNot } = await seenBy(as(user, claims));
      const what = `${agentId} for ${user}`;
      assert.equal(youMay, reason === undefined, what);
      if (reason === undefined) assert.equal(whyNot, undefined, what);
      else assert.match(whyNot, reason, what);
    }
  });

  it('what is told is what a vote then meets', async () => {
    for (const agentId of ['guard', 'lea_only', 'four_eyes'])
      for (const user of ['ada', 'lea', 'bob']) {
        const { as, run, seenBy } = await scene(agentId);
        const pending = await seenBy(as(user));
        if (pending === undefined) continue;
        const reply = await as(user).decide(agentId, run.runId, { action: 'REJECT' });
        assert.equal(reply.status, pending.youMay ? 200 : 403, `${agentId} ${user}`);
      }
  });

  it('the first of two approvers may still turn to a rejection', async () => {
    const { as, run, seenBy } = await scene('quorum_two');
    await as('ada').decide('quorum_two', run.runId, { action: 'APPROVE' });
    const pending = await seenBy(as('ada'));
    assert.deepEqual([pending.youMay, pending.votesNeeded, pending.votes.length], [true, 2, 1]);
  });

  it('a call whose time is over takes no vote, and says so', async () => {
    const { run, as, seenBy } = await scene('expiring');
    const pending = await seenBy(as('ada'));
    // Somebody may have found the expiry already: then it is not pending any more.
    if (pending !== undefined) assert.match(pending.whyNot, /time is over/);
    assert.equal(
      (await as('ada').decide('expiring', run.runId, { action: 'APPROVE' })).status,
      409,
    );
  });

  it('is told to each reader of a stream for themselves, live and from the stored events', async () => {
    const { as, run } = await scene('four_eyes');
    for (const [user, youMay] of [
      ['ada', false],
      ['bob', true],
    ] as const) {
      const events = (
        await as(user).call('GET', `/api/runs/${run.runId}/events?limit=100`)
      ).json.data.filter(({ event }: Json) => event === 'PAUSED');
      assert.deepEqual(
        events.map(({ data }: Json) => data.pending[0].youMay),
        [youMay],
        user,
      );
      assert.deepEqual(
        events[0].data.pending,
        (await as(user).read('four_eyes', run.runId)).json.pending,
      );
    }
  });
});
