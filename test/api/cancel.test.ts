import assert from 'node:assert/strict';
import { newOrg, startApiRig, type ApiRig } from './api-rig.ts';
import { isProblem } from './problems.ts';

describe('cancelling a run', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  it('is committed before its 204, can be repeated, and changes nothing that has ended', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const { runId } = (await ada.run('guard', 'pause')).json;
    const path = `/api/agents/guard/runs/${runId}`;
    for (let i = 0; i < 2; i++) {
      const r = await ada.call('DELETE', path);
      assert.equal(r.status, 204);
      assert.equal(r.text, '');
    }
    const run = (await ada.read('guard', runId)).json;
    assert.equal(run.status, 'CANCELLED');
    assert.deepEqual(
      [run.tools, run.pending, run.pauseId, run.content],
      [[], undefined, undefined, ''],
    );
    isProblem(await ada.decide('guard', runId, { action: 'APPROVE' }), 409, 'NOT_PAUSED');
    const done = (await ada.run('guard', 'answer')).json;
    assert.equal((await ada.call('DELETE', `/api/agents/guard/runs/${done.runId}`)).status, 204);
    assert.deepEqual((await ada.read('guard', done.runId)).json, done);
  });

  it('answers those who wait for the run', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const { runId } = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json;
    const joined = ada.read('guard', runId, '?wait=15');
    await ada.call('DELETE', `/api/agents/guard/runs/${runId}`);
    assert.equal((await joined).json.status, 'CANCELLED');
  });

  it('needs runs:cancel and to be its user, its starter or an admin', async () => {
    const org = newOrg();
    const imp = 'runs:write runs:read runs:cancel runs:impersonate';
    const { runId } = (
      await api.as('ada', { org, scope: imp }).run('guard', 'pause', { userId: 'mia' })
    ).json;
    const path = `/api/agents/guard/runs/${runId}`;
    isProblem(
      await api.as('ada', { org, scope: 'runs:read admin' }).call('DELETE', path),
      403,
      'INSUFFICIENT_SCOPE',
    );
    isProblem(await api.as('bob', { org }).call('DELETE', path), 403, 'FORBIDDEN');
    isProblem(await api.as('cy', { org, scope: imp }).call('DELETE', path), 404, 'NOT_FOUND');
    isProblem(
      await api.as('ada', { org }).call('DELETE', `/api/agents/other/runs/${runId}`),
      404,
      'NOT_FOUND',
    );
    assert.equal((await api.as('mia', { org }).call('DELETE', path)).status, 204);
    assert.equal(
      (await api.as('root', { org, scope: 'admin runs:cancel' }).call('DELETE', path)).status,
      204,
    );
  });

  it('shows a call that was under way as unknown until its late outcome comes', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const { runId } = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json;
    const [callId = ''] = await api.runs.ask(runId, 1, ['note', 'get_price']);
    await api.runs.dispatch(runId, callId, 'NEVER');
    assert.deepEqual((await ada.read('guard', runId)).json.tools, []);
    await ada.call('DELETE', `/api/agents/guard/runs/${runId}`);
    const { tools } = (await ada.read('guard', runId)).json;
    assert.equal(tools.length, 1, 'a call that never went out has no line');
    assert.deepEqual(
      [tools[0].outcome, tools[0].isError, tools[0].callId],
      ['UNKNOWN', true, callId],
    );
    assert.ok(tools[0].result.length > 10);
  });
});
