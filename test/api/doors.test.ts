import assert from 'node:assert/strict';
import { gzipSync, brotliCompressSync } from 'node:zlib';
import { newOrg, startApiRig, token, UNKNOWN_RUN, type ApiRig, type Reply } from './api-rig.ts';
import { isProblem } from './problems.ts';

const RUNS = '/api/agents/guard/runs';
const JSON_TYPE = { 'content-type': 'application/json' };

describe('the doors of the API', () => {
  let api: ApiRig;
  let ada: ReturnType<ApiRig['as']>;
  before(async () => {
    api = await startApiRig();
    ada = api.as('ada', { org: newOrg() });
  });
  after(() => api.close());
  const post = (raw: string | Buffer, headers: Record<string, string> = {}): Promise<Reply> =>
    ada.call('POST', RUNS, { raw, headers: { ...JSON_TYPE, ...headers } });

  it('an answer carries its request id, echoed where it is short and safe, and security headers without a framework’s name', async () => {
    const r = await ada.call('GET', '/api/agents', { headers: { 'x-request-id': 'req-1:a.b_c' } });
    assert.equal(r.headers['x-request-id'], 'req-1:a.b_c');
    assert.equal(r.headers['x-content-type-options'], 'nosniff');
    assert.equal(r.headers['referrer-policy'], 'no-referrer');
    assert.equal(r.headers['cache-control'], 'no-store');
    assert.match(String(r.headers['content-security-policy']), /default-src 'none'/);
    assert.deepEqual(
      [r.headers['x-powered-by'], r.headers.server, r.headers['access-control-allow-origin']],
      [undefined, undefined, undefined],
    );
    for (const id of ['x'.repeat(500), '<script>', 'a b;c']) {
      const made = (await ada.call('GET', '/api/agents', { headers: { 'x-request-id': id } }))
        .headers['x-request-id'];
      assert.match(String(made), /^[0-9a-f-]{36}$/);
    }
  });

  it('health needs no token; not being ready is 503 with the reasons', async () => {
    assert.deepEqual((await api.call('GET', '/health/live')).json, { status: 'live' });
    assert.deepEqual((await api.call('GET', '/health/ready')).json, { status: 'ready' });
    const sick = await startApiRig({ notReady: async () => ['Temporal does not answer.'] });
    assert.match(
      isProblem(await sick.call('GET', '/health/ready'), 503, 'UNAVAILABLE').text,
      /Temporal does not answer/,
    );
    await sick.close();
  });

  it('agents are listed as their files say, without instructions and addresses; others’ and inactive ones are left out', async () => {
    const r = await ada.call('GET', '/api/agents');
    const ids = r.json.map((a: { id: string }) => a.id);
    assert.ok(ids.includes('guard') && !ids.includes('asleep') && !ids.includes('zeta_only'));
    assert.doesNotMatch(r.text, /CANARY|127\.0\.0\.1|approvers/);
    const guard = await ada.call('GET', '/api/agents/guard');
    assert.deepEqual(Object.keys(guard.json), [
      'id',
      'name',
      'description',
      'is_team',
      'model',
      'models',
      'vision',
      'audio',
      'tools',
      'active',
    ]);
    assert.deepEqual(guard.json.tools[0], {
      name: 'send_email',
      description: 'Does send_email.',
      approval: 'required',
    });
    const all = await ada.call('GET', '/api/agents?includeInactive=true');
    assert.equal(all.json.find((a: { id: string }) => a.id === 'asleep').active, false);
    assert.equal(
      (await api.as('zoe', { org: 'zeta' }).call('GET', '/api/agents/zeta_only')).status,
      200,
    );
    isProblem(await ada.call('GET', '/api/agents/zeta_only'), 404, 'NOT_FOUND');
    isProblem(await ada.call('GET', '/api/agents?includeInactive=yes'), 400, 'INVALID_REQUEST');
    assert.equal(
      (await api.as('nia', { scope: '' }).call('GET', '/api/agents')).status,
      200,
      'no scope needed',
    );
  });

  it('every path under /api is 401 without a token, known or not, in whatever spelling, before anything else is looked at', async () => {
    for (const [method, path] of [
      ['GET', '/api/none'],
      ['PUT', '/api/agents'],
      ['GET', '/api'],
      ['GET', '/API/agents'],
      ['POST', `${RUNS}?colour=1`],
      ['OPTIONS', RUNS],
      ['DELETE', `${RUNS}/${UNKNOWN_RUN}`],
    ] as const)
      isProblem(
        await api.call(method, path, { headers: JSON_TYPE, raw: method === 'POST' ? '{' : '' }),
        401,
        'UNAUTHENTICATED',
      );
  });

  it('unknown paths are 404, other methods 405 with Allow, HEAD has no body and OPTIONS says what is taken', async () => {
    for (const path of ['/', '/nothing', '/api/none', '/api/agents/guard/runs/x/y', '/API/agents'])
      isProblem(await ada.call('GET', path), 404, 'NOT_FOUND');
    for (const [path, method, want] of [
      ['/api/agents', 'POST', 'GET'],
      ['/api/agents/guard', 'DELETE', 'GET'],
      [RUNS, 'PATCH', 'POST'],
      [`${RUNS}/${UNKNOWN_RUN}`, 'PUT', 'DELETE'],
      [`${RUNS}/background`, 'PUT', 'POST'],
      [`${RUNS}/${UNKNOWN_RUN}/continue`, 'GET', 'POST'],
      ['/health/live', 'PROPFIND', 'GET'],
    ] as const) {
      const r = isProblem(await ada.call(method, path), 405, 'METHOD_NOT_ALLOWED');
      assert.ok(r.headers.allow?.includes(want), `${path}: ${r.headers.allow}`);
    }
    for (const path of ['/api/agents', '/health/live', '/api/none']) {
      const head = await ada.call('HEAD', path);
      assert.ok(head.status < 500 && head.text === '');
      assert.ok((await ada.call('OPTIONS', path)).status < 500);
    }
    for (const start of ['background', 'stream'])
      assert.equal(
        (await ada.call('OPTIONS', `${RUNS}/${start}`)).headers.allow,
        'POST, OPTIONS',
        'no run is called so',
      );
  });

  it('odd paths are answered below 500, with a problem where they are errors', async () => {
    for (const path of [
      '/api/agents/%zz',
      '/api/agents/%2e%2e%2f%2e%2e%2fetc/passwd',
      '/api/../api/../../etc/passwd',
      '/api/agents/%00',
      '/api/agents/guard%2Fruns',
      '//api//agents',
      '/api/agents/__proto__',
      '/api/agents/constructor',
      `${RUNS}/${'a'.repeat(8000)}`,
      `${RUNS}/%00`,
      `${RUNS}/${UNKNOWN_RUN}%00`,
      `/api/agents/%00/runs/${UNKNOWN_RUN}`,
      `${RUNS}/..`,
      `${RUNS}/%F0%9F%99%82`,
    ])
      isProblem(await ada.call('GET', path), 404, 'NOT_FOUND');
    isProblem(await ada.call('GET', '/api/agents?limit=%zz'), 400, 'INVALID_REQUEST');
  });

  it('a body that is not JSON in UTF-8 by its Content-Type is 415', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/json; charset=utf-16',
      'nonsense',
    ])
      isProblem(
        await ada.call('POST', RUNS, {
          raw: '{"message":"answer"}',
          headers: { 'content-type': type },
        }),
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      );
    isProblem(
      await ada.call('POST', RUNS, { raw: '{"message":"answer"}' }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    );
    assert.equal(
      (await post('{"message":"answer"}', { 'content-type': 'application/json; charset=UTF-8' }))
        .status,
      200,
    );
  });

  it('gzip is taken, other encodings are 415, and neither a bomb nor a large body is read to its end', async () => {
    const body = JSON.stringify({ message: 'answer' });
    assert.equal((await post(gzipSync(body), { 'content-encoding': 'gzip' })).status, 200);
    isProblem(
      await post(brotliCompressSync(body), { 'content-encoding': 'br' }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    );
    isProblem(await post(body, { 'content-encoding': 'gzip' }), 400, 'MALFORMED_JSON');
    const bomb = gzipSync(Buffer.alloc(60_000_000, 0x20));
    isProblem(await post(bomb, { 'content-encoding': 'gzip' }), 413, 'PAYLOAD_TOO_LARGE');
    const reason = JSON.stringify({ action: 'REJECT', reason: 'r'.repeat(2 ** 20) });
    isProblem(
      await ada.call('POST', `${RUNS}/${UNKNOWN_RUN}/continue`, {
        headers: { ...JSON_TYPE, 'content-length': String(reason.length) },
      }),
      413,
      'PAYLOAD_TOO_LARGE',
    );
  });

  it('a body that drips in is given up after its time', async () => {
    const t0 = performance.now();
    const r = await ada.call('POST', RUNS, {
      raw: '{"mess',
      headers: { ...JSON_TYPE, 'content-length': '500' },
    });
    isProblem(r, 400, 'INVALID_REQUEST');
    assert.equal(r.headers.connection, 'close');
    assert.ok(performance.now() - t0 < 6500);
  });

  it('malformed and ambiguous JSON is 400 MALFORMED_JSON', async () => {
    const broken = Buffer.concat([
      Buffer.from('{"message":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]);
    for (const raw of [
      ...[
        '',
        '{',
        '{"message":"x"}trailing',
        '{"message":"a","message":"b"}',
        '{"message":"x","__proto__":{}}',
        '{"message":"a\\u0000b"}',
      ],
      ...[
        '{"message":"a\\ud800b"}',
        '{"message":"x","options":{"maxTokens":9007199254740993}}',
        '{"message":"x","options":{"temperature":NaN}}',
      ],
      ...[
        `{"message":"x","options":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}`,
        `{"message":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      ],
      JSON.stringify(Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`k${i}`, 1]))),
      broken,
    ])
      isProblem(await post(raw), 400, 'MALFORMED_JSON');
  });

  it('what is invalid is named field by field, unknown properties by name', async () => {
    for (const [body, ...fields] of [
      [null, ''],
      [[], ''],
      ['x', ''],
      [{}, 'message'],
      [{ message: null }, 'message'],
      [{ message: '  \n' }, 'message'],
      [{ message: ['x'] }, 'message'],
      [{ message: 'x'.repeat(100_001) }, 'message'],
      [{ message: 'x', sessionId: 's1' }, 'sessionId'],
      [{ message: 'x', systemPrompt: 'obey', colour: 1 }, 'systemPrompt', 'colour'],
      [{ message: 'x', constructor: 1 }, 'constructor'],
      [
        { message: 'x', options: { temperature: 2.1, maxTokens: 0, topP: 1 } },
        'options.temperature',
        'options.maxTokens',
        'options.topP',
      ],
      [{ message: 'x', media: [{ type: 'image/png' }] }, 'media.0.data'],
    ] as const) {
      const r = isProblem(await ada.call('POST', RUNS, { body }), 400, 'INVALID_REQUEST');
      assert.deepEqual(
        r.json.errors.map((e: { path: string }) => e.path).toSorted(),
        fields.toSorted(),
        r.text,
      );
      for (const field of fields) assert.ok(r.json.detail.includes(field));
      assert.ok(
        r.json.errors.every((e: { message: string }) => !/Invalid|expected/.test(e.message)),
        r.text,
      );
    }
  });

  it('an error nobody thought of is a 500 that says nothing, and is logged with the request’s id', async () => {
    const torn = await startApiRig({
      notReady: async () => Promise.reject(new TypeError('select * from secrets at /srv/app/x.ts')),
    });
    const r = isProblem(await torn.call('GET', '/health/ready'), 500, 'INTERNAL');
    assert.doesNotMatch(r.text, /secret|srv/);
    assert.equal((torn.logged[0] as { requestId?: string }).requestId, r.json.requestId);
    await torn.close();
  });

  it('a missing scope is 403 with the scope named; writing, reading, cancelling, approving and admin imply nothing', async () => {
    const scopes: readonly (readonly [string, string, string, string])[] = [
      ['POST', RUNS, 'runs:write', '{"message":"answer"}'],
      ['POST', `${RUNS}/background`, 'runs:write', '{"message":"answer"}'],
      ['GET', `${RUNS}/${UNKNOWN_RUN}`, 'runs:read', ''],
      ['GET', `${RUNS}/${UNKNOWN_RUN}/status`, 'runs:read', ''],
      ['DELETE', `${RUNS}/${UNKNOWN_RUN}`, 'runs:cancel', ''],
      ['POST', `${RUNS}/${UNKNOWN_RUN}/continue`, 'runs:approve', '{"action":"APPROVE"}'],
    ];
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
    for (const [method, path, scope, raw] of scopes) {
      const bearer = await token('sam', { scope: every.filter((s) => s !== scope).join(' ') });
      const r = isProblem(
        await api.call(method, path, {
          raw,
          headers: { ...JSON_TYPE, authorization: `Bearer ${bearer}` },
        }),
        403,
        'INSUFFICIENT_SCOPE',
      );
      assert.equal(
        r.headers['www-authenticate'],
        `Bearer error="insufficient_scope", scope="${scope}"`,
      );
    }
  });
});
