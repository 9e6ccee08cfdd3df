import assert from 'node:assert/strict';
import { AuditPageSchema } from '../../src/contract/audit.ts';
import { newOrg, startApiRig, type ApiRig, type Caller, type Json } from './api-rig.ts';
import { isProblem } from './problems.ts';

describe('the audit', () => {
  let api: ApiRig;
  let root: Caller;
  let run: Json;
  before(async () => {
    api = await startApiRig();
    const org = newOrg();
    root = api.as('root', { org, scope: 'admin runs:read' });
    const ada = api.as('ada', { org });
    run = (await ada.run('guard', 'pause')).json;
    await ada.decide('guard', run.runId, { action: 'REJECT', reason: 'A word of ours.' });
    await ada.run('other', 'answer');
  });
  after(() => api.close());

  const read = async (query = '', caller = root): Promise<Json> => {
    const reply = await caller.call('GET', `/api/audit${query}`);
    assert.equal(reply.status, 200, reply.text);
    return AuditPageSchema.parse(reply.json);
  };
  const actionsOf = (page: Json): string[] => page.data.map((line: Json) => line.action);

  it('says who did what, newest first, a page at a time, to nobody but an admin of the org', async () => {
    const all = await read('?limit=100');
    assert.ok(actionsOf(all).includes('run.started') && actionsOf(all).includes('call.rejected'));
    const ids = all.data.map((line: Json) => line.id);
    assert.deepEqual(
      ids,
      ids.toSorted((a: number, b: number) => b - a),
    );
    const paged: Json[] = [];
    for (let after = ''; ;) {
      const page = await read(`?limit=2${after}`);
      paged.push(...page.data);
      if (!page.hasMore) break;
      after = `&after=${page.nextCursor}`;
    }
    assert.deepEqual(paged, all.data);
    assert.deepEqual((await read('', api.as('root', { org: newOrg(), scope: 'admin' }))).data, []);
    isProblem(await api.as('ada').call('GET', '/api/audit'), 403, 'INSUFFICIENT_SCOPE');
  });

  it('is narrowed by run, actor, action and time, and refuses what is none of them', async () => {
    const ofRun = await read(`?runId=${run.runId}&limit=100`);
    assert.ok(ofRun.data.length > 0);
    assert.ok(ofRun.data.every((line: Json) => line.runId === run.runId));
    const decided = await read('?action=call.rejected&actor=ada');
    assert.deepEqual([...new Set(actionsOf(decided))], ['call.rejected']);
    assert.deepEqual((await read('?actor=nobody')).data, []);
    assert.deepEqual((await read('?to=2020-01-01')).data, []);
    assert.ok((await read('?from=2020-01-01')).data.length > 0);
    for (const query of ['?runId=1', '?action=A', '?from=x', '?after=x', '?what=1'])
      isProblem(await root.call('GET', `/api/audit${query}`), 400, 'INVALID_REQUEST');
  });
});
