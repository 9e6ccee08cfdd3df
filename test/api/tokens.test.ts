// Every token that must not be taken, at every route there is: authentication stands before
// routing, parsing and validation.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { SECRET, startApiRig, token, UNKNOWN_RUN, type ApiRig } from './api-rig.ts';
import { isProblem } from './problems.ts';
import { routeTable } from './route-table.ts';

const now = Math.floor(Date.now() / 1000);
const CLAIMS = {
  sub: 'ada',
  org_id: 'acme',
  scope: 'runs:write runs:read runs:cancel runs:approve admin',
  iat: now - 1,
  exp: now + 1800,
};
const b64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function hs(payload: unknown, header: object = {}, secret = SECRET): string {
  const text = `${b64({ alg: 'HS256', typ: 'JWT', ...header })}.${b64(payload)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const good = hs(CLAIMS);
const twice = (claim: string): string => hs(`${JSON.stringify(CLAIMS).slice(0, -1)},${claim}}`);
const BAD: Readonly<Record<string, string>> = {
  'no token': '',
  'another scheme': 'Basic YTpi',
  'alg none': `Bearer ${b64({ alg: 'none' })}.${b64(CLAIMS)}.`,
  'alg None with a signature': `Bearer ${b64({ alg: 'None' })}.${b64(CLAIMS)}.AAAA`,
  'another key': `Bearer ${hs(CLAIMS, {}, 'x'.repeat(43))}`,
  'an empty key': `Bearer ${hs(CLAIMS, {}, '')}`,
  'a cut signature': `Bearer ${good.slice(0, -4)}`,
  'changed claims': `Bearer ${good.split('.')[0]}.${b64({ ...CLAIMS, sub: 'root' })}.${good.split('.')[2]}`,
  expired: `Bearer ${hs({ ...CLAIMS, exp: now - 60 })}`,
  'not yet valid': `Bearer ${hs({ ...CLAIMS, nbf: now + 3000 })}`,
  'made in the future': `Bearer ${hs({ ...CLAIMS, iat: now + 3000 })}`,
  'no exp': `Bearer ${hs({ ...CLAIMS, exp: undefined })}`,
  'no iat': `Bearer ${hs({ ...CLAIMS, iat: undefined })}`,
  'a life of 25 hours': `Bearer ${hs({ ...CLAIMS, exp: now + 90_000 })}`,
  'an unknown crit': `Bearer ${hs(CLAIMS, { crit: ['x'], x: 1 })}`,
  'a strange typ': `Bearer ${hs(CLAIMS, { typ: 'dpop+jwt' })}`,
  'no sub': `Bearer ${hs({ ...CLAIMS, sub: undefined })}`,
  'an empty sub': `Bearer ${hs({ ...CLAIMS, sub: '' })}`,
  'a sub that is no text': `Bearer ${hs({ ...CLAIMS, sub: ['ada'] })}`,
  'the operator': `Bearer ${hs({ ...CLAIMS, sub: 'operator' })}`,
  'no org': `Bearer ${hs({ ...CLAIMS, org_id: undefined })}`,
  'an empty org': `Bearer ${hs({ ...CLAIMS, org_id: '' })}`,
  'an org that is no text': `Bearer ${hs({ ...CLAIMS, org_id: { $ne: 1 } })}`,
  jku: `Bearer ${hs(CLAIMS, { jku: 'http://127.0.0.1/keys' })}`,
  x5u: `Bearer ${hs(CLAIMS, { x5u: 'http://127.0.0.1/cert' })}`,
  jwk: `Bearer ${hs(CLAIMS, { jwk: { kty: 'oct', k: b64(SECRET) } })}`,
  'a doubled org': `Bearer ${twice('"org_id":"evil"')}`,
  'a doubled sub': `Bearer ${twice('"sub":"root"')}`,
  'the org of another claim': `Bearer ${hs({ ...CLAIMS, org_id: undefined, orgId: 'acme', org: 'acme' })}`,
  'two tokens': `Bearer ${good} ${good}`,
};

describe('tokens at every route', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());
  const IDS = {
    agentId: 'guard',
    runId: UNKNOWN_RUN,
    sessionId: '018f0000-0000-4000-8000-000000000000',
    callId: 'call_000000000000000000000000',
    webhookId: 'wh_018f0000-0000-7000-8000-000000000000',
    ...{
      baseId: 'none',
      documentId: 'doc_none',
      memoryId: 'mem_none',
      grantId: 'grant_none',
      userId: 'nobody',
    },
    deliveryId: 'msg_018f0000',
  };
  const routes = routeTable().filter(({ scope }) => scope !== 'open');

  for (const [what, authorization] of Object.entries(BAD))
    it(`${what}: 401 at each of them, before the body is looked at`, async () => {
      for (const { method, address } of routes)
        isProblem(
          await api.call(method, address(IDS), {
            headers: {
              'content-type': 'application/json',
              ...(authorization === '' ? {} : { authorization }),
            },
            ...(method === 'POST' ? { raw: '{broken' } : {}),
          }),
          401,
          'UNAUTHENTICATED',
        );
    });

  it('a token in the query, a cookie or another header is none', async () => {
    const headers = {
      cookie: `token=${good}; access_token=${good}`,
      'x-authorization': `Bearer ${good}`,
    };
    for (const { method, address } of routes)
      isProblem(
        await api.call(method, `${address(IDS)}?access_token=${good}&token=${good}`, { headers }),
        401,
        'UNAUTHENTICATED',
      );
  });

  it('a good token without the scope of the route is 403, whatever other scopes it has', async () => {
    const every = [
      'runs:write',
      'runs:read',
      'runs:cancel',
      'runs:approve',
      'runs:impersonate',
      'knowledge:read',
      'knowledge:write',
      'admin',
    ];
    for (const { method, address, scope } of routes.filter((route) => route.scope !== 'token')) {
      const bearer = await token('sam', { scope: every.filter((s) => s !== scope).join(' ') });
      const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
      isProblem(
        await api.call(method, address(IDS), {
          headers,
          ...(method === 'POST' ? { raw: '{broken' } : {}),
        }),
        403,
        'INSUFFICIENT_SCOPE',
      );
    }
  });

  it('only health and what describes the API are open', () => {
    const open = routeTable().flatMap(({ scope, path }) => (scope === 'open' ? [path] : []));
    assert.ok(
      open.every((path) => !path.startsWith('/api')),
      open.join(),
    );
  });

  it('no bad token is quoted in an answer or a log line', async () => {
    const before = api.logged.length;
    for (const authorization of Object.values(BAD)) {
      const { text } = await api.call('GET', '/api/agents', {
        headers: authorization === '' ? {} : { authorization },
      });
      for (const part of authorization.split(/[ .]/).filter((p) => p.length > 12))
        assert.ok(!text.includes(part));
    }
    assert.equal(api.logged.length, before);
  });
});
