import assert from 'node:assert/strict';
import { settle } from '../../src/store/runs/settle.ts';
import { newOrg, startApiRig, token, type ApiRig } from './api-rig.ts';
import { isProblem } from './problems.ts';
import { openStream } from './stream-rig.ts';

describe('retrying a run', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  const fail = (runId: string) =>
    api.store.asWorker((tx) =>
      settle(
        tx,
        runId,
        { kind: 'FAILED', failure: { code: 'MODEL_UNAVAILABLE', message: 'The model is away.' } },
        'test',
      ),
    );
  const pathOf = (runId: string): string => `/api/agents/guard/runs/${runId}/retry`;

  it('waits for what comes of it; with the same key again it joins, without one it is not FAILED any more', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const { runId } = (await ada.run('guard', 'answer', {}, { prefer: 'respond-async' })).json;
    const done = await ada.read('guard', runId, '?wait=10');
    isProblem(await ada.call('POST', pathOf(runId)), 409, 'NOT_FAILED');
    assert.deepEqual((await ada.read('guard', runId)).json, done.json);
    const failed = (await ada.run('guard', 'pause')).json.runId;
    await fail(failed);
    const headers = { 'idempotency-key': 'once' };
    const r = await ada.call('POST', pathOf(failed), { headers });
    assert.deepEqual([r.status, r.json.runId, r.json.status], [200, failed, 'COMPLETED']);
    assert.equal(r.json.error, undefined);
    const again = await ada.call('POST', pathOf(failed), { headers });
    assert.deepEqual([again.status, again.headers['idempotency-replayed']], [200, 'true']);
    isProblem(await ada.call('POST', `/api/runs/${failed}/retry`), 409, 'NOT_FAILED');
  });

  it('is 409 once a later run of its session has started', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const { runId, sessionId } = (await ada.run('guard', 'pause')).json;
    await fail(runId);
    await ada.run('guard', 'answer', { sessionId });
    isProblem(await ada.call('POST', pathOf(runId)), 409, 'SESSION_WENT_ON');
  });

  it('needs runs:write and to be its user, its starter or an admin', async () => {
    const org = newOrg();
    const { runId } = (await api.as('ada', { org }).run('guard', 'pause')).json;
    await fail(runId);
    const as = (user: string, scope?: string) =>
      api.as(user, scope === undefined ? { org } : { org, scope }).call('POST', pathOf(runId));
    isProblem(await as('ada', 'runs:read runs:cancel'), 403, 'INSUFFICIENT_SCOPE');
    isProblem(await as('bob'), 403, 'FORBIDDEN');
    isProblem(await as('cy', 'runs:write runs:read'), 404, 'NOT_FOUND');
    assert.equal((await as('root', 'admin runs:write')).status, 200);
  });

  it('its stream goes on behind the ERROR, which is the end only where nothing follows it', async () => {
    const org = newOrg();
    const ada = api.as('ada', { org });
    const { runId } = (await ada.run('guard', 'pause')).json;
    await fail(runId);
    const url = `${api.url}/api/runs/${runId}/stream`;
    const bearer = await token('ada', { org });
    const first = await openStream(url, { token: bearer });
    await first.ended;
    const error = first.frames.at(-1);
    assert.equal(error?.event, 'ERROR');
    await ada.call('POST', pathOf(runId));
    const headers = { 'last-event-id': error?.id ?? '' };
    for (const stream of [
      await openStream(url, { token: bearer, headers }),
      await openStream(url, { token: bearer }),
    ]) {
      await stream.ended;
      const names = stream.frames.map((frame) => frame.event);
      assert.equal(names.at(-1), 'STOP');
      assert.ok(names.includes('RETRIED'));
    }
  });
});
