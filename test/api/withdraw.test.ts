// Taking waiting calls back: who may, and what is refused.

import assert from 'node:assert/strict';
import { newOrg, startApiRig, type ApiRig, type Caller, type Reply } from './api-rig.ts';
import { isProblem } from './problems.ts';

describe('withdraw', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  const withdraw = (caller: Caller, runId: string, body: object = {}): Promise<Reply> =>
    caller.call('POST', `/api/agents/guard/runs/${runId}/withdraw`, { body });

  it("is for the run's user alone: others who may read and decide it are refused, and nothing changes", async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    const run = (await ada.run('guard', 'pause')).json;
    for (const who of ['bob', 'root']) {
      const scope = who === 'root' ? 'admin runs:read runs:write runs:approve' : undefined;
      const other = api.as(who, { org, ...(scope === undefined ? {} : { scope }) });
      isProblem(await withdraw(other, run.runId), 403, 'FORBIDDEN');
    }
    isProblem(await withdraw(api.as('ada', { org: newOrg() }), run.runId), 404, 'NOT_FOUND');
    assert.deepEqual((await ada.read('guard', run.runId)).json, run);
    const taken = await withdraw(ada, run.runId, { message: 'Never mind.' });
    assert.equal(taken.status, 200, taken.text);
    const [call] = taken.json.tools;
    assert.deepEqual([call.decision.action, call.decision.by], ['WITHDRAWN', ['ada']]);
  });

  it('is refused where the run does not wait, and with a body that says something else', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const done = (await ada.run('guard', 'answer')).json;
    isProblem(await withdraw(ada, done.runId), 409, 'NOT_PAUSED');
    isProblem(await withdraw(ada, done.runId, { action: 'APPROVE' }), 400, 'INVALID_REQUEST');
    isProblem(await withdraw(ada, done.runId, { message: ' ' }), 400, 'INVALID_REQUEST');
  });
});
