import assert from 'node:assert/strict';
import { newOrg, startApiRig, UNKNOWN_RUN, type ApiRig } from './api-rig.ts';
import { bare, isProblem } from './problems.ts';

const EVERY = 'runs:write runs:read runs:cancel runs:approve runs:impersonate admin';

describe('who sees a run', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  it('another org’s run answers byte for byte as an unknown one, to its admin too, on every route', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const eve = api.as('eve', { org: newOrg(), scope: EVERY });
    const { runId, pending } = (await ada.run('guard', 'pause')).json;
    for (const [method, tail, body] of [
      ['GET', ''],
      ['GET', '/status'],
      ['GET', '?wait=1'],
      ['POST', '/continue', { action: 'APPROVE' }],
      ['POST', '/continue', { action: 'REJECT', callId: pending[0].callId }],
      ['DELETE', ''],
    ] as const) {
      const at = (id: string): ReturnType<typeof eve.call> =>
        eve.call(method, `/api/agents/guard/runs/${id}${tail}`, body === undefined ? {} : { body });
      const unknown = isProblem(await at(UNKNOWN_RUN), 404, 'NOT_FOUND');
      assert.equal(bare(await at(runId)), bare(unknown));
      assert.equal(bare(await at('nonsense')), bare(unknown));
    }
    assert.equal((await ada.read('guard', runId)).json.status, 'PAUSED');
  });

  it('its user, who started it and an admin see it, nobody else, and under its own agent only', async () => {
    const org = newOrg();
    const { runId } = (
      await api.as('ada', { org, scope: EVERY }).run('guard', 'answer', { userId: 'mia' })
    ).json;
    for (const [user, scope, status] of [
      ['ada', 'runs:read', 200],
      ['mia', 'runs:read', 200],
      ['root', 'runs:read admin', 200],
      ['bob', 'runs:read runs:approve', 404],
      ['root', 'admin', 403],
    ] as const)
      assert.equal(
        (await api.as(user, { org, scope }).read('guard', runId)).status,
        status,
        `${user} ${scope}`,
      );
    isProblem(await api.as('ada', { org }).read('other', runId), 404, 'NOT_FOUND');
  });

  it('who holds runs:approve and satisfies the policy of a guarded call sees it while it waits, and afterwards', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    const { runId } = (await ada.run('lea_only', 'pause')).json;
    const see = async (expected: Record<string, number>): Promise<void> => {
      const callers = {
        lea: api.as('lea', { org }),
        reader: api.as('lea', { org, scope: 'runs:read' }),
        boss: api.as('rob', { org, roles: ['boss'] }),
        'boss machine': api.as('rob', { org, roles: ['boss'], service: true }),
        'lea machine': api.as('lea', { org, service: true }),
        bob: api.as('bob', { org, roles: ['bos', 'user:lea'] }),
      };
      for (const [who, caller] of Object.entries(callers))
        assert.equal((await caller.read('lea_only', runId)).status, expected[who], who);
    };
    const expected = {
      lea: 200,
      reader: 404,
      boss: 200,
      'boss machine': 404,
      'lea machine': 200,
      bob: 404,
    };
    await see(expected);
    await api.as('lea', { org }).decide('lea_only', runId, { action: 'REJECT' });
    await see(expected);
  });

  it('a tool without approvers is anyone’s of the org with the scope, but no service token’s', async () => {
    const org = newOrg();
    const { runId } = (await api.as('ada', { org }).run('guard', 'pause')).json;
    assert.equal((await api.as('bob', { org }).read('guard', runId)).status, 200);
    assert.equal((await api.as('robot', { org, service: true }).read('guard', runId)).status, 404);
    await api.as('ada', { org }).call('DELETE', `/api/agents/guard/runs/${runId}`);
    assert.equal(
      (await api.as('bob', { org }).read('guard', runId)).status,
      200,
      'still, after a cancel',
    );
  });

  it('an unguarded call of unknown outcome opens the run to who may decide it while it is open, then to who did', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    const { runId } = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json;
    const calls = await api.runs.ask(runId, 1, ['note']);
    const status = async (user: string): Promise<number> =>
      (await api.as(user, { org }).read('guard', runId)).status;
    assert.equal(await status('bob'), 404);
    await api.runs.dispatch(runId, calls[0] ?? '', { kind: 'UNANSWERED', evidence: 'cut' });
    await api.runs.pause(runId, 1, 1, 'OUTCOME_UNKNOWN', calls);
    assert.deepEqual([await status('bob'), await status('cy')], [200, 200]);
    await api
      .as('bob', { org })
      .decide('guard', runId, { action: 'REJECT' }, { prefer: 'respond-async' });
    assert.deepEqual([await status('bob'), await status('cy')], [200, 404]);
  });
});
