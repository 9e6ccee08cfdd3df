import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { newOrg, startApiRig, type ApiRig } from './api-rig.ts';

describe('limits of runs at the routes', () => {
  let api: ApiRig;
  before(async () => {
    const runLimits = { perOrg: 1, perAgent: 1, pausedPerOrg: 100, fewPausedUntil: new Map() };
    api = await startApiRig({ runLimits });
  });
  after(() => api.close());

  it('each way to start a run is refused with what to do, and a key that was refused is free', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const start = (way: string, headers: Record<string, string> = {}) =>
      ada.call('POST', `/api/agents/guard/runs${way}`, { body: { message: 'wait' }, headers });
    const first = await start('/background');
    assert.equal(first.status, 200, first.text);
    const key = { 'idempotency-key': randomUUID() };
    for (const way of ['', '/background', '/stream']) {
      const reply = await start(way, key);
      assert.equal(reply.status, 429, reply.text);
      assert.equal(reply.headers['content-type'], 'application/problem+json');
      assert.equal(reply.json.code, 'TOO_MANY_RUNS');
      assert.match(reply.json.detail, /has 1 runs under way/);
      assert.match(reply.headers['retry-after'] ?? '', /^\d+$/);
    }
    await ada.call('DELETE', `/api/agents/guard/runs/${first.json.runId}`);
    assert.equal((await start('/background', key)).status, 200);
  });
});
