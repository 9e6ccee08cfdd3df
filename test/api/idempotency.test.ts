import assert from 'node:assert/strict';
import fc from 'fast-check';
import { REQUEST_HEADERS } from '../../src/api/http/headers.ts';
import { readIdempotencyKey } from '../../src/api/http/idempotency-key.ts';
import { agent, newOrg, startApiRig, type ApiRig, type Reply } from './api-rig.ts';
import { isProblem } from './problems.ts';

const key = (value: string): Record<string, string> => ({ 'idempotency-key': value });

describe('Idempotency-Key', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());

  it('the same key and body joins the run, quoted or bare, whatever the order of the body', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const first = await ada.run(
      'guard',
      'answer',
      { options: { maxTokens: 9, temperature: 1 } },
      key('k 1'),
    );
    assert.equal(first.headers['idempotency-replayed'], undefined);
    const raw =
      '{"generateFollowups":false,"options":{"temperature":1,"maxTokens":9},  "message":"answer"}';
    const again = await ada.call('POST', '/api/agents/guard/runs', {
      raw,
      headers: { 'content-type': 'application/json', ...key('"k 1"') },
    });
    assert.equal(again.headers['idempotency-replayed'], 'true');
    assert.equal(again.headers['content-location'], first.headers['content-location']);
    assert.deepEqual(again.json, first.json);
    isProblem(
      await ada.run('guard', 'answer another', {}, key('k 1')),
      422,
      'IDEMPOTENCY_KEY_REUSED',
    );
  });

  it('a request repeated after its agent was switched off still finds its run; a new one is refused and takes no key', async () => {
    const org = newOrg();
    const first = await api.as('ada', { org }).run('guard', 'answer', {}, key('k'));
    const later = await startApiRig({
      agents: new Map([['guard', agent('guard', { active: false })]]),
    });
    try {
      const ada = later.as('ada', { org });
      const again = await ada.run('guard', 'answer', {}, key('k'));
      assert.deepEqual(
        [again.status, again.headers['idempotency-replayed'], again.json],
        [200, 'true', first.json],
      );
      isProblem(await ada.run('guard', 'answer', {}, key('new')), 409, 'AGENT_INACTIVE');
      const taken = await api.as('ada', { org }).run('guard', 'answer', {}, key('new'));
      assert.deepEqual([taken.status, taken.headers['idempotency-replayed']], [200, undefined]);
    } finally {
      await later.close();
    }
  });

  it('a replay waits like the first caller, and parallel ones name one run', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const all: Reply[] = await Promise.all(
      Array.from({ length: 6 }, () => ada.run('guard', 'answer', {}, key('k'))),
    );
    assert.deepEqual(
      new Set(all.map((r) => `${r.status} ${r.json.runId} ${r.json.status}`)).size,
      1,
    );
    assert.equal(all.filter((r) => r.headers['idempotency-replayed'] === undefined).length, 1);
    const stays = await ada.run('guard', 'stay', {}, { ...key('s'), prefer: 'respond-async' });
    const joined = ada.run('guard', 'stay', {}, key('s'));
    await api.runs.complete(stays.json.runId, 1);
    assert.equal((await joined).json.status, 'COMPLETED');
  });

  it('belongs to its caller, org, route and agent', async () => {
    const org = newOrg();
    const answers = [
      await api.as('ada', { org }).run('guard', 'answer', {}, key('k')),
      await api.as('bob', { org }).run('guard', 'answer', {}, key('k')),
      await api.as('ada', { org: newOrg() }).run('guard', 'answer', {}, key('k')),
      await api.as('ada', { org }).run('other', 'answer', {}, key('k')),
      await api.as('ada', { org }).call('POST', '/api/agents/guard/runs/background', {
        body: { message: 'answer' },
        headers: key('k'),
      }),
    ];
    assert.equal(new Set(answers.map((r) => r.json.runId)).size, 5);
  });

  it('a replayed background start shows the present status', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const start = (): Promise<Reply> =>
      ada.call('POST', '/api/agents/guard/runs/background', {
        body: { message: 'answer' },
        headers: key('k'),
      });
    const first = await start();
    await ada.read('guard', first.json.runId, '?wait=10');
    const again = await start();
    assert.deepEqual(again.json, { ...first.json, status: 'COMPLETED' });
    assert.deepEqual(
      [again.status, again.headers['idempotency-replayed'], again.headers.location],
      [200, 'true', first.headers.location],
    );
  });

  it('a refused request leaves its key free; a malformed, empty, doubled or long one is 400', async () => {
    const ada = api.as('ada', { org: newOrg() });
    isProblem(await ada.run('guard', ' ', {}, key('k')), 400, 'INVALID_REQUEST');
    const { sessionId } = (await ada.run('other', 'answer')).json;
    isProblem(
      await ada.run('guard', 'answer', { sessionId }, key('k')),
      409,
      'SESSION_OF_OTHER_AGENT',
    );
    const r = await ada.run('guard', 'answer', {}, key('k'));
    assert.deepEqual([r.status, r.headers['idempotency-replayed']], [200, undefined]);
    for (const bad of [
      'x'.repeat(256),
      `"${'x'.repeat(256)}"`,
      '',
      '""',
      '"open',
      '"a" b',
      '\u00e9',
    ])
      assert.match(
        isProblem(await ada.run('guard', 'answer', {}, key(bad)), 400, 'INVALID_REQUEST').text,
        /Idempotency-Key/,
      );
    isProblem(
      await ada.call('POST', '/api/agents/guard/runs', {
        body: { message: 'answer' },
        headers: { 'idempotency-key': ['a', 'b'] },
      }),
      400,
      'INVALID_REQUEST',
    );
    assert.equal((await ada.run('guard', 'answer', {}, key('y'.repeat(255)))).status, 200);
  });

  it('on continue it votes once: replays show the present run and never reach a later pause', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const { runId } = (await ada.run('guard', 'pause twice')).json;
    const second = await ada.decide('guard', runId, { action: 'APPROVE' }, key('k'));
    assert.equal(second.json.status, 'PAUSED');
    for (let i = 0; i < 2; i++) {
      const r = await ada.decide('guard', runId, { action: 'APPROVE' }, key('k'));
      assert.deepEqual(
        [r.status, r.headers['idempotency-replayed'], r.json.pauseId],
        [200, 'true', second.json.pauseId],
      );
      assert.deepEqual(r.json.pending[0].votes, []);
    }
    isProblem(
      await ada.decide('guard', runId, { action: 'REJECT' }, key('k')),
      422,
      'IDEMPOTENCY_KEY_REUSED',
    );
    const other = (await ada.run('guard', 'pause')).json;
    assert.equal(
      (await ada.decide('guard', other.runId, { action: 'APPROVE' }, key('k'))).headers[
        'idempotency-replayed'
      ],
      undefined,
    );
    isProblem(
      await ada.decide('guard', runId, { action: 'APPROVE', pauseId: 'pause_x' }, key('k2')),
      409,
      'NOT_THIS_PAUSE',
    );
    // A new key is not a new look: what was shown last is named.
    isProblem(
      await ada.decide('guard', runId, { action: 'APPROVE' }, key('k2')),
      428,
      'CALL_ID_REQUIRED',
    );
    const { pauseId } = second.json;
    assert.equal(
      (await ada.decide('guard', runId, { action: 'APPROVE', pauseId }, key('k2'))).json.status,
      'COMPLETED',
    );
  });

  it('the document’s pattern of a key is what is read as one', () => {
    const pattern = new RegExp(REQUEST_HEADERS.IdempotencyKey.schema.pattern);
    const taken = (text: string): boolean => {
      try {
        return readIdempotencyKey([text]) !== undefined;
      } catch {
        return false;
      }
    };
    const piece = fc.constantFrom('"', '\\', 'a', ' ', 'é', 'x'.repeat(127), '\\"', '\t');
    const keys = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    fc.assert(
      // What stands around a header's value never arrives.
      fc.property(
        fc.oneof(
          keys,
          keys.map((key) => `"${key}"`),
        ),
        (key) => pattern.test(key.trim()) === taken(key.trim()),
      ),
      { numRuns: 2000 },
    );
  });
});
