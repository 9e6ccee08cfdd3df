import assert from 'node:assert/strict';
import { request } from 'node:http';
import { createRequestCounts, type RequestCounts } from '../../src/api/limits/request-counts.ts';
import type { RequestLimits } from '../../src/api/limits/request-limits.ts';
import { newOrg, sharedStore, startApiRig, token, type ApiRig, type Reply } from './api-rig.ts';

const MANY = { perUser: 1000, perOrg: 1000, openPerUser: 1000 };

describe('limits of requests', () => {
  let counts: RequestCounts;
  const rigs: ApiRig[] = [];
  before(async () => {
    counts = createRequestCounts(await sharedStore());
  });
  after(async () => {
    await Promise.all(rigs.map((rig) => rig.close()));
    await counts.stop();
  });
  const limited = async (limits: Partial<RequestLimits>): Promise<ApiRig> => {
    const rig = await startApiRig({ requestLimits: { ...MANY, counts, ...limits } });
    rigs.push(rig);
    return rig;
  };

  function refused(reply: Reply, code: string): void {
    assert.equal(reply.status, 429, reply.text);
    assert.equal(reply.headers['content-type'], 'application/problem+json');
    assert.equal(reply.json.code, code);
    assert.match(reply.headers['retry-after'] ?? '', /^[1-9]\d*$/);
  }

  it('say with each answer what is left, and refuse what is over them with when to come again', async () => {
    const api = await limited({ perUser: 3 });
    const org = newOrg();
    const ada = api.as('ada', { org });
    for (const left of [2, 1, 0]) {
      const reply = await ada.call('GET', '/api/agents');
      assert.equal(reply.status, 200);
      assert.equal(reply.headers['ratelimit-policy'], '"user";q=3;w=60, "org";q=1000;w=60');
      assert.match(
        String(reply.headers['ratelimit']),
        new RegExp(`^"user";r=${left};t=\\d+, "org";r=${997 + left};t=\\d+$`),
      );
    }
    const reply = await ada.call('GET', '/api/agents');
    refused(reply, 'TOO_MANY_REQUESTS');
    const t = /^"user";r=0;t=(\d+)/.exec(String(reply.headers['ratelimit']))?.[1];
    assert.equal(reply.headers['retry-after'], t);
    assert.equal((await api.as('bob', { org }).call('GET', '/api/agents')).status, 200);
  });

  it('are the same for every address and method behind a token, unknown ones and /mcp too', async () => {
    const api = await limited({ perUser: 1 });
    for (const [method, path] of [
      ['GET', '/api/none'],
      ['POST', '/api/agents/guard/runs'],
      ['DELETE', '/api/sessions/x'],
      ['POST', '/mcp'],
      ['GET', '/mcp'],
    ] as const) {
      const ada = api.as('ada', { org: newOrg() });
      await ada.call('GET', '/api/agents');
      const body = method === 'POST' ? { raw: '{broken' } : {};
      refused(await ada.call(method, path, body), 'TOO_MANY_REQUESTS');
    }
  });

  it('count a message to /mcp once, whatever its tool asks', async () => {
    const api = await limited({});
    const reply = await fetch(`${api.url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await token('ada', { org: newOrg() })}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
        params: { name: 'list_agents', arguments: {} },
      }),
    });
    assert.equal(reply.status, 200);
    assert.match(await reply.text(), /guard/);
    assert.match(reply.headers.get('ratelimit') ?? '', /^"user";r=999;/);
  });

  it('of an org hold all its users, and no other org', async () => {
    const api = await limited({ perOrg: 4 });
    const org = newOrg();
    const statuses: number[] = [];
    for (const user of ['a', 'b', 'c', 'd', 'e'])
      statuses.push((await api.as(user, { org }).call('GET', '/api/agents')).status);
    assert.deepEqual(statuses, [200, 200, 200, 200, 429]);
    assert.equal((await api.as('a', { org: newOrg() }).call('GET', '/api/agents')).status, 200);
  });

  it('leave out health, the documents, and what has no good token', async () => {
    const api = await limited({ perUser: 1, perOrg: 1 });
    const org = newOrg();
    for (let i = 0; i < 3; i++) {
      for (const path of ['/health/live', '/health/ready', '/openapi.json', '/docs']) {
        const reply = await api.call('GET', path);
        assert.equal(reply.status, 200, path);
        assert.equal(reply.headers['ratelimit'], undefined, path);
      }
      const bad = `Bearer ${(await token('ada', { org })).slice(0, -4)}`;
      const refusal = await api.call('GET', '/api/agents', { headers: { authorization: bad } });
      assert.equal(refusal.status, 401);
      assert.equal(refusal.headers['ratelimit'], undefined);
    }
    assert.equal((await api.as('ada', { org }).call('GET', '/api/agents')).status, 200);
  });

  it('hold how many requests a user has open, until one of them is over', async () => {
    const api = await limited({ openPerUser: 2 });
    const org = newOrg();
    const ada = api.as('ada', { org });
    const authorization = `Bearer ${await token('ada', { org })}`;
    const streams = await Promise.all([1, 2].map(() => openInbox(api.url, authorization)));
    refused(await ada.call('GET', '/api/agents'), 'TOO_MANY_OPEN_REQUESTS');
    assert.equal((await api.as('bob', { org }).call('GET', '/api/agents')).status, 200);
    streams[0]?.();
    for (;;) {
      const { status } = await ada.call('GET', '/api/agents');
      if (status === 200) break;
      assert.equal(status, 429);
    }
    streams[1]?.();
  });
});

/** Resolves with what closes it, once it is answered. */
const openInbox = (url: string, authorization: string): Promise<() => void> =>
  new Promise((resolve, reject) => {
    const asked = request(`${url}/api/approvals/stream`, { headers: { authorization } }, () =>
      resolve(() => void asked.destroy()),
    );
    asked.on('error', reject).end();
  });
