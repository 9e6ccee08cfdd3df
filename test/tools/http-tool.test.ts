import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { ServerResponse } from 'node:http';
import type { HttpCall } from '../../src/contract/agent.ts';
import type { ToolContext } from '../../src/tools/define-tool.ts';
import { runToolCall } from '../../src/tools/tool.ts';
import type { ToolResult } from '../../src/tools/tool-result.ts';
import { startReceiver, type Received, type Receiver } from './scripted-receiver.ts';
import { context, httpTool } from './snapshots.ts';

const SECRETS: Readonly<Record<string, string>> = {
  EMAIL_TOKEN: 's3cr3t-"token"',
  TENANT: 'acme-1',
};
const secret = (name: string): string | undefined => SECRETS[name];

describe('HTTP tools', () => {
  let receiver: Receiver;
  let answer: (response: ServerResponse, request: Received) => void;
  beforeEach(async () => {
    answer = (response) => response.end('ok');
    receiver = await startReceiver((response, request) => answer(response, request));
  });
  afterEach(() => receiver.close());

  const call = (
    path: string,
    args: Record<string, unknown>,
    http: Partial<HttpCall> = {},
    ctx: Partial<ToolContext> = {},
    timeoutMs?: number,
  ): Promise<ToolResult> =>
    runToolCall(
      httpTool({ url: `${receiver.url}${path}`, ...http }, timeoutMs),
      args,
      context(ctx),
      { codeTools: new Map(), secret },
    );
  const sent = (): Received => {
    assert.equal(receiver.received.length, 1);
    return receiver.received[0] as Received;
  };

  it('send POST, PUT and PATCH as canonical JSON, whole, with the declared method', async () => {
    for (const method of ['POST', 'PUT', 'PATCH'] as const) {
      receiver.received.length = 0;
      const result = await call('/mail/{id}?v=1', { to: 'é', id: 'a/b', body: 1 }, { method });
      assert.deepEqual(result, { kind: 'DONE', text: 'ok', isError: false, httpStatus: 200 });
      const { url, body, headers, method: used } = sent();
      assert.deepEqual(
        { used, url, body },
        { used: method, url: '/mail/a%2Fb?v=1', body: '{"body":1,"id":"a/b","to":"é"}' },
      );
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(headers['content-length'], String(Buffer.byteLength(body)));
    }
  });

  it('send GET and DELETE arguments in the query, lists repeated, those in the path left out', async () => {
    for (const method of ['GET', 'DELETE'] as const) {
      receiver.received.length = 0;
      await call(
        '/items/{id}?fixed=1',
        { id: 'x y', tag: ['a', 'b&c'], n: 1.5, on: true, none: [] },
        { method },
      );
      const { url, body, method: used, headers } = sent();
      assert.equal(used, method);
      assert.equal(url, '/items/x%20y?fixed=1&tag=a&tag=b%26c&n=1.5&on=true');
      assert.equal(body, '');
      assert.equal(headers['content-type'], undefined);
    }
  });

  it('fill a place in the query once and add nothing of it', async () => {
    await call('/search?q={q}&k=${TENANT}', { q: 'a&b=#{c}', page: 2 }, { method: 'GET' });
    assert.equal(sent().url, '/search?q=a%26b%3D%23%7Bc%7D&k=acme-1&page=2');
  });

  it('never let an argument lead to another path', async () => {
    for (const id of ['.', '..', '']) {
      const result = await call('/items/{id}', { id });
      assert.ok(result.kind === 'DONE' && result.isError, JSON.stringify(result));
    }
    const joined = await call('/items/{a}{b}/x', { a: '.', b: '.' });
    assert.ok(joined.kind === 'DONE' && joined.isError);
    const encoded = await call('/items/%2e{a}', { a: '.' });
    assert.ok(encoded.kind === 'DONE' && encoded.isError);
    assert.equal(receiver.received.length, 0);
    for (const id of [
      '../../admin',
      '..%2f',
      '%2e%2e',
      '\\..\\',
      '?x',
      '#x',
      '//evil',
      '@evil',
      '...',
    ]) {
      receiver.received.length = 0;
      await call('/items/{id}/x', { id });
      assert.equal(sent().url, `/items/${encodeURIComponent(id)}/x`);
    }
  });

  it('leave null out of a query, with its name, and out of no path', async () => {
    await call(
      '/items?fixed=1&page={page}',
      { page: null, q: 'x', at: null, list: [1, null] },
      { method: 'GET' },
    );
    assert.equal(sent().url, '/items?fixed=1&q=x&list=1');
    receiver.received.length = 0;
    const result = await call('/items/{id}', { id: null }, { method: 'GET' });
    assert.ok(result.kind === 'DONE' && result.isError && result.text.includes('"id"'));
    assert.equal(receiver.received.length, 0);
  });

  it('know the outcome of an answer with 40 KiB of headers', async () => {
    answer = (response) => response.writeHead(200, { 'x-long': 'a'.repeat(40 * 1024) }).end('fine');
    assert.deepEqual(await call('/x', {}), {
      kind: 'DONE',
      text: 'fine',
      isError: false,
      httpStatus: 200,
    });
  });

  it('answer a missing or structured argument in the address with a tool error, and send nothing', async () => {
    for (const args of [{}, { id: { a: 1 } }, { id: [1] }]) {
      const result = await call('/items/{id}', args);
      assert.ok(
        result.kind === 'DONE' && result.isError && result.text.startsWith('Nothing was sent'),
      );
    }
    assert.equal(receiver.connections(), 0);
  });

  it('carry the key and whose call it is, percent-encoded where no header could hold it', async () => {
    await call(
      '/x',
      {},
      { headers: { 'X-Own': 'a', Authorization: 'Bearer ${EMAIL_TOKEN}' } },
      { userId: 'Åda\n', orgId: 'a b' },
    );
    const { headers } = sent();
    assert.equal(headers['idempotency-key'], 'run_1:call_1');
    assert.equal(headers['x-holdpoint-run'], 'run_1');
    assert.equal(headers['x-holdpoint-org'], 'a b');
    assert.equal(headers['x-holdpoint-user'], '%C3%85da%0A');
    assert.equal(headers['x-own'], 'a');
    assert.equal(headers['authorization'], 'Bearer s3cr3t-"token"');
    assert.equal(headers['host'], `127.0.0.1:${receiver.port}`);
  });

  it('take a redirect as the answer, and follow it nowhere', async () => {
    answer = (response) => response.writeHead(302, { location: '/elsewhere' }).end('moved');
    assert.deepEqual(await call('/x', {}), {
      kind: 'DONE',
      text: 'moved',
      isError: false,
      httpStatus: 302,
    });
    assert.equal(receiver.received.length, 1);
  });

  it('take a status as a known outcome, from 400 on an error', async () => {
    for (const [status, isError] of [
      [204, false],
      [404, true],
      [500, true],
    ] as const) {
      answer = (response) => response.writeHead(status).end(status === 204 ? undefined : 'why');
      assert.deepEqual(await call('/x', {}), {
        kind: 'DONE',
        text: status === 204 ? '' : 'why',
        isError,
        httpStatus: status,
      });
    }
  });

  it('cut a result of 600 kB on a character, with a note', async () => {
    answer = (response) => response.end(`a${'é'.repeat(300_000)}`);
    const result = await call('/x', {});
    assert.ok(result.kind === 'DONE' && !result.isError);
    assert.ok(
      Buffer.byteLength(result.text) > 262_000 && Buffer.byteLength(result.text) < 258 * 1024,
    );
    assert.match(result.text, /^aé+\n\[Cut by Holdpoint: .*\]$/);
  });

  it('stop reading an answer that has no end', async () => {
    let closed: Promise<void> | undefined;
    answer = (response) => {
      closed = new Promise((resolve) => response.on('close', resolve));
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    };
    const result = await call('/x', {});
    assert.ok(result.kind === 'DONE' && result.text.includes('[Cut by Holdpoint'));
    await closed;
  });

  it('keep a result of exactly 256 KiB whole', async () => {
    answer = (response) => response.end('x'.repeat(262_144));
    assert.deepEqual(await call('/x', {}), {
      kind: 'DONE',
      text: 'x'.repeat(262_144),
      isError: false,
      httpStatus: 200,
    });
  });

  it('give a storable text', async () => {
    answer = (response) => response.end(Buffer.from([0x61, 0, 0xff, 0x62]));
    assert.deepEqual(await call('/x', {}), {
      kind: 'DONE',
      text: 'a\ufffd\ufffdb',
      isError: false,
      httpStatus: 200,
    });
  });

  it('never show a secret that the receiver echoes', async () => {
    answer = (response, { headers }) =>
      response.end(`${headers['authorization'] ?? ''} ${JSON.stringify(headers)}`);
    const result = await call('/x', {}, { headers: { authorization: 'Bearer ${EMAIL_TOKEN}' } });
    assert.ok(result.kind === 'DONE');
    assert.match(result.text, /Bearer \[secret\].*"Bearer \[secret\]"/);
    assert.doesNotMatch(result.text, /s3cr3t/);
  });

  it('say that nothing was sent where the connection is refused, without the address', async () => {
    const { port } = receiver;
    await receiver.close();
    const result = await call(`/x?k=\${EMAIL_TOKEN}`, {});
    assert.deepEqual(result, {
      kind: 'DONE',
      text: 'Nothing was sent: connection refused.',
      isError: true,
    });
    assert.ok(!JSON.stringify(result).includes(String(port)));
  });

  it('say that nothing was sent for an unknown host, a broken address, an illegal header and failed TLS', async () => {
    const cases: readonly Partial<HttpCall>[] = [
      { url: 'http://no-such-host.invalid/' },
      { url: 'nonsense' },
      { url: 'ftp://127.0.0.1/' },
      { headers: { 'x-a': 'b\nc' } },
      { url: `https://127.0.0.1:${receiver.port}/` },
    ];
    for (const http of cases) {
      const result = await call('/x', {}, http);
      assert.ok(
        result.kind === 'DONE' && result.isError && result.text.startsWith('Nothing was sent:'),
        JSON.stringify([http, result]),
      );
      assert.ok(!result.text.includes('127.0.0.1') && !result.text.includes('invalid/'));
    }
    assert.equal(receiver.received.length, 0);
  });

  it('do not know the outcome where the connection is reset after the request', async () => {
    answer = (response) => response.socket?.resetAndDestroy();
    assert.equal((await call('/x', {})).kind, 'UNANSWERED');
    assert.equal(receiver.received.length, 1);
  });

  it('do not know the outcome where the answer is cut in the body, whatever its status', async () => {
    for (const [status, length] of [
      [200, 100],
      [500, undefined],
    ] as const) {
      answer = (response) => {
        response
          .writeHead(status, length === undefined ? {} : { 'content-length': length })
          .write('half', () => response.socket?.destroy());
      };
      assert.deepEqual(await call('/x', {}), {
        kind: 'UNANSWERED',
        why: 'the connection broke before a complete answer',
      });
    }
  });

  it('take a body without a length, ended by closing, as whole', async () => {
    answer = (response) => response.socket?.end('HTTP/1.0 200 OK\r\n\r\nold but whole');
    assert.deepEqual(await call('/x', {}), {
      kind: 'DONE',
      text: 'old but whole',
      isError: false,
      httpStatus: 200,
    });
  });

  it('take an early answer whose sender then closes', async () => {
    answer = (response) => {
      response.socket?.end('HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig');
    };
    assert.deepEqual(await call('/x', {}), {
      kind: 'DONE',
      text: 'big',
      isError: true,
      httpStatus: 413,
    });
  });

  it('do not know the outcome where nothing comes in time, before the answer or in it', async () => {
    answer = () => undefined;
    assert.deepEqual(await call('/x', {}, {}, {}, 150), {
      kind: 'UNANSWERED',
      why: 'no answer within 150 ms',
    });
    answer = (response) => void response.write('half');
    assert.deepEqual(await call('/x', {}, {}, {}, 150), {
      kind: 'UNANSWERED',
      why: 'no answer within 150 ms',
    });
  });

  it('do not know the outcome where they are aborted after the request, and did not happen where before', async () => {
    const late = new AbortController();
    answer = () => late.abort();
    assert.deepEqual(await call('/x', {}, {}, { signal: late.signal }), {
      kind: 'UNANSWERED',
      why: 'it was cancelled',
    });
    const early = new AbortController();
    const beforeWrite = (): Promise<void> => Promise.resolve(early.abort());
    assert.deepEqual(await call('/x', {}, {}, { signal: early.signal, beforeWrite }), {
      kind: 'NOT_SENT',
      why: 'it was cancelled',
    });
    assert.deepEqual(await call('/x', {}, {}, { signal: AbortSignal.abort() }), {
      kind: 'NOT_SENT',
      why: 'it was cancelled',
    });
    assert.equal(receiver.received.length, 1);
  });

  it('connect, then make the last check, and write nothing where it throws', async () => {
    const lost = new Error('claim lost');
    const beforeWrite = (): Promise<void> => {
      assert.equal(receiver.received.length, 0);
      return Promise.reject(lost);
    };
    await assert.rejects(call('/x', {}, {}, { beforeWrite }), (error) => error === lost);
    while (receiver.connections() === 0) await new Promise(setImmediate);
    assert.equal(receiver.received.length, 0);
  });

  it('send nothing on a connection that was closed during the last check', async () => {
    const closing = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve));
    const address = closing.address();
    assert.ok(typeof address === 'object' && address !== null);
    const beforeWrite = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
    const result = await call(
      '/x',
      {},
      { url: `http://127.0.0.1:${address.port}/` },
      { beforeWrite },
    );
    assert.deepEqual(result, {
      kind: 'DONE',
      text: 'Nothing was sent: the connection was closed.',
      isError: true,
    });
    closing.close();
  });

  it('name a secret that is not set, and send nothing', async () => {
    const result = await call('/x', {}, { headers: { a: '${GONE}' } });
    assert.deepEqual(result, {
      kind: 'DONE',
      text: 'Nothing was sent: the secret GONE is not set on this server.',
      isError: true,
    });
    assert.equal(receiver.connections(), 0);
  });

  it('take 408, 502 and 504 for no answer, unless the file lists them', async () => {
    for (const status of [408, 502, 504]) {
      answer = (response) => response.writeHead(status).end('from a go-between');
      const result = await call('/x', {});
      assert.ok(result.kind === 'UNANSWERED', `${status}: ${result.kind}`);
      assert.equal(result.httpStatus, status);
      const known = await runToolCall(
        { ...httpTool({ url: `${receiver.url}/x` }), knownStatuses: [status] },
        {},
        context(),
        { codeTools: new Map(), secret },
      );
      assert.ok(known.kind === 'DONE' && known.isError && known.httpStatus === status);
    }
  });

  it('take 429 and 503 for an answer only where the call must not be repeated, and say when to come again', async () => {
    for (const status of [429, 503]) {
      answer = (response) => response.writeHead(status, { 'retry-after': '3' }).end('busy');
      const guarded = await call('/x', {});
      assert.ok(guarded.kind === 'DONE' && guarded.isError, `${status}: ${guarded.kind}`);
      for (const more of [{ readOnly: true }, { idempotent: true }]) {
        const result = await runToolCall(
          { ...httpTool({ url: `${receiver.url}/x` }), ...more },
          {},
          context(),
          { codeTools: new Map(), secret },
        );
        assert.ok(result.kind === 'UNANSWERED', `${status}: ${result.kind}`);
        assert.equal(result.retryAfterMs, 3000);
      }
    }
  });

  it('a name that is in the address is never taken from arguments, however it is spelled', async () => {
    const args = { id: '7', customer: 'globex', Customer: 'globex', 'customer[]': ['globex'] };
    await call('/c/{id}?customer=acme', args, { method: 'GET' });
    assert.equal(sent().url, '/c/7?customer=acme');
    receiver.received.splice(0);
    await call('/c?customer=acme', { ...args, note: 'n' });
    assert.equal(sent().url, '/c?customer=acme');
    assert.deepEqual(JSON.parse(sent().body), { id: '7', note: 'n' });
  });
});
