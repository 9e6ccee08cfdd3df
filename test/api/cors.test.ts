import assert from 'node:assert/strict';
import { newOrg, startApiRig, type ApiRig, type Reply } from './api-rig.ts';

const RUNS = '/api/agents/guard/runs';
const OURS = 'https://app.example.org';
const FOREIGN = [
  ...[
    'https://evil.example',
    'http://app.example.org',
    'https://app.example.org.evil.example',
    'https://app.example.org:8443',
  ],
  ...['https://app.example.org/', 'HTTPS://APP.EXAMPLE.ORG', 'null', '*', 'https://*.example.org'],
];
const granted = ({ headers }: Reply): readonly string[] =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'));

describe('pages of other origins', () => {
  const ask = (api: ApiRig, origin: string, method = 'OPTIONS', path = RUNS): Promise<Reply> =>
    api.call(method, path, {
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, content-type, idempotency-key',
        'access-control-request-private-network': 'true',
      },
    });

  it('get nothing by default: no answer to any method at any path has an Access-Control header', async () => {
    const api = await startApiRig();
    try {
      const ada = api.as('ada', { org: newOrg() });
      for (const origin of [OURS, 'null'])
        for (const method of ['OPTIONS', 'GET', 'POST', 'DELETE', 'HEAD', 'PUT'])
          for (const path of [
            RUNS,
            '/api/agents',
            '/api/none',
            '/health/live',
            '/openapi.json',
            '/docs',
            '/',
          ])
            assert.deepEqual(
              granted(await ask(api, origin, method, path)),
              [],
              `${method} ${path}`,
            );
      assert.deepEqual(
        granted(await ada.call('GET', '/api/agents', { headers: { origin: OURS } })),
        [],
      );
      assert.equal((await ask(api, OURS)).status, 401, 'a preflight has no token');
    } finally {
      await api.close();
    }
  });

  describe('named in CORS_ORIGINS', () => {
    let api: ApiRig;
    before(async () => {
      api = await startApiRig({ corsOrigins: ['https://other.example', OURS] });
    });
    after(() => api.close());

    it('may ask first, without a token, and get the methods and headers that are taken', async () => {
      const { status, text, headers } = await ask(api, OURS);
      assert.deepEqual([status, text], [204, '']);
      assert.equal(headers['access-control-allow-origin'], OURS);
      assert.equal(headers['access-control-allow-methods'], 'GET,POST,DELETE');
      assert.match(
        String(headers['access-control-allow-headers']),
        /Authorization.*Idempotency-Key.*Last-Event-ID.*Prefer/,
      );
      assert.equal(headers['access-control-allow-credentials'], undefined);
      assert.equal(headers['access-control-allow-private-network'], undefined);
      assert.match(String(headers.vary), /Origin/);
    });

    it('may read answers and refusals, with the headers that callers need', async () => {
      const ada = api.as('ada', { org: newOrg() });
      const run = await ada.run('guard', 'answer', {}, { origin: OURS });
      const refused = await api.call('GET', '/api/agents', { headers: { origin: OURS } });
      assert.deepEqual([run.status, refused.status], [200, 401]);
      for (const { headers } of [run, refused]) {
        assert.equal(headers['access-control-allow-origin'], OURS);
        assert.match(
          String(headers['access-control-expose-headers']),
          /Content-Location.*Location.*Retry-After.*X-Request-Id/,
        );
      }
    });

    it('are alone in that: any other origin, however alike, gets nothing, and the answer says that it depends on the origin', async () => {
      const ada = api.as('ada', { org: newOrg() });
      for (const origin of FOREIGN) {
        assert.deepEqual(
          [granted(await ask(api, origin)), (await ask(api, origin)).status],
          [[], 401],
          origin,
        );
        const answer = await ada.call('GET', '/api/agents', { headers: { origin } });
        assert.deepEqual(
          [answer.status, granted(answer), answer.headers.vary],
          [200, [], 'Origin'],
          origin,
        );
      }
      assert.deepEqual(granted(await ada.call('GET', '/api/agents')), []);
    });
  });
});
