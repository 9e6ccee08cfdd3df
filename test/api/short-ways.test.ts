import assert from 'node:assert/strict';
import {
  newOrg,
  startApiRig,
  UNKNOWN_RUN,
  type ApiRig,
  type Caller,
  type Json,
} from './api-rig.ts';
import { isProblem } from './problems.ts';

describe('a run by its id alone', () => {
  let api: ApiRig;
  let ada: Caller;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());
  beforeEach(() => {
    ada = api.as('ada', { org: newOrg() });
  });
  const paused = async (): Promise<Json> => (await ada.run('guard', 'pause')).json;

  it('is read, waited for, and its events listed, as with its agent', async () => {
    const run = await paused();
    const at = `/api/runs/${run.runId}`;
    assert.deepEqual((await ada.call('GET', at)).json, run);
    assert.equal((await ada.call('GET', `${at}?wait=1`)).json.status, 'PAUSED');
    const long = `/api/agents/guard/runs/${run.runId}/events?limit=1`;
    const [short, withAgent] = [
      await ada.call('GET', `${at}/events?limit=1`),
      await ada.call('GET', long),
    ];
    assert.deepEqual(short.json, withAgent.json);
    assert.match(String(short.headers['link']), /^<\/api\/runs\/run_[^/]+\/events\?limit=1&after=/);
    isProblem(await ada.call('GET', `${at}?colour=red`), 400, 'INVALID_REQUEST');
  });

  it('is decided about, and a key used at one address is a replay at the other', async () => {
    const run = await paused();
    const options = {
      body: { action: 'APPROVE', pauseId: run.pauseId },
      headers: { 'Idempotency-Key': `k-${run.runId}` },
    };
    const first = await ada.call('POST', `/api/runs/${run.runId}/continue`, options);
    assert.deepEqual([first.status, first.json.status], [200, 'COMPLETED']);
    const again = await ada.call('POST', `/api/agents/guard/runs/${run.runId}/continue`, options);
    assert.equal(again.headers['idempotency-replayed'], 'true');
    const stream = await ada.call('GET', `/api/runs/${run.runId}/stream`);
    assert.match(stream.text, /event: STOP/);
  });

  it('is cancelled', async () => {
    const run = await paused();
    assert.equal((await ada.call('DELETE', `/api/runs/${run.runId}`)).status, 204);
    assert.equal((await ada.call('GET', `/api/runs/${run.runId}`)).json.status, 'CANCELLED');
  });

  it('answers as an unknown one does to who may not see it', async () => {
    const run = await paused();
    const other = api.as('ada', { org: newOrg() });
    for (const [method, tail] of [
      ['GET', ''],
      ['GET', '/stream'],
      ['GET', '/events'],
      ['POST', '/continue'],
      ['DELETE', ''],
    ] as const)
      for (const id of [run.runId, UNKNOWN_RUN, 'run_none'])
        isProblem(
          await other.call(
            method,
            `/api/runs/${id}${tail}`,
            method === 'POST' ? { body: { action: 'APPROVE' } } : {},
          ),
          404,
          'NOT_FOUND',
        );
  });
});

describe('lists of runs', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  it('are counted by state, of what the caller may see', async () => {
    const org = newOrg();
    const [ada, bob] = [api.as('ada', { org }), api.as('bob', { org })];
    await ada.run('guard', 'answer');
    await ada.run('other', 'pause');
    await bob.run('guard', 'answer');
    const counts = async (caller: Caller, query = ''): Promise<Json> =>
      (await caller.call('GET', `/api/runs/counts${query}`)).json;
    const none = { QUEUED: 0, RUNNING: 0, PAUSED: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0 };
    const reader = api.as('ada', { org, scope: 'runs:read' });
    const root = api.as('root', { org, scope: 'runs:read admin' });
    assert.deepEqual(await counts(reader), { ...none, PAUSED: 1, COMPLETED: 1 });
    assert.deepEqual(await counts(reader, '?agentId=guard'), { ...none, COMPLETED: 1 });
    assert.deepEqual(await counts(root), { ...none, PAUSED: 1, COMPLETED: 2 });
    assert.deepEqual(await counts(root, '?userId=bob'), { ...none, COMPLETED: 1 });
    assert.deepEqual(await counts(api.as('ada', { org: newOrg() })), none);
    isProblem(await ada.call('GET', '/api/runs/counts?status=PAUSED'), 400, 'INVALID_REQUEST');
    isProblem(
      await api.as('ada', { org, scope: 'runs:write' }).call('GET', '/api/runs/counts'),
      403,
      'INSUFFICIENT_SCOPE',
    );
  });

  it('take several states, and keep them in the address of the next page', async () => {
    const ada = api.as('ada', { org: newOrg() });
    for (const message of ['answer', 'pause', 'stay'])
      await ada.run('guard', message, {}, { Prefer: message === 'stay' ? 'wait=0' : 'wait=9' });
    const page = await ada.call('GET', '/api/runs?status=PAUSED,COMPLETED&limit=1');
    assert.deepEqual(
      page.json.data.map((run: Json) => run.status),
      ['PAUSED'],
    );
    const next = /<([^>]+)>/.exec(String(page.headers['link']))?.[1] ?? assert.fail('no Link');
    const rest = await ada.call('GET', next);
    assert.deepEqual(
      [rest.json.data.map((run: Json) => run.status), rest.json.hasMore],
      [['COMPLETED'], false],
    );
    for (const bad of ['DONE', 'PAUSED,', ',', '', 'PAUSED,DONE', 'paused', 'PAUSED,%20COMPLETED'])
      isProblem(await ada.call('GET', `/api/runs?status=${bad}`), 400, 'INVALID_REQUEST');
  });

  it('every JSON answer ends with a newline, a refusal too', async () => {
    const ada = api.as('ada', { org: newOrg() });
    for (const path of [
      '/api/runs',
      '/api/runs?limit=0',
      '/api/none',
      '/openapi.json',
      '/health/live',
    ])
      assert.match((await ada.call('GET', path)).text, /[}\]]\n$/, path);
    assert.match((await api.call('GET', '/api/runs')).text, /\}\n$/);
  });
});
