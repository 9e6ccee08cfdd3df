// Raw sockets against the server as it runs, with node's own HTTP below every layer of ours.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import type { Server } from 'node:http';
import { createGuardedServer } from '../../src/api/http/slow-clients.ts';
import { createApp } from '../../src/api/app.ts';
import { createAuthenticate } from '../../src/api/auth/authenticate.ts';
import { until } from '../rig/wait.ts';
import { tellsNothing } from '../rig/tells-nothing.ts';
import { CONFIG, SECRET, sharedStore, token } from './api-rig.ts';

const KEEP_ALIVE_MS = 12_000;
const MAX_CONNECTIONS = 40;

interface Exchange {
  readonly text: string;
  readonly ms: number;
  readonly closed: boolean;
}

describe('clients that hold a socket', () => {
  let server: Server;
  let port = 0;
  let bearer = '';
  before(async () => {
    bearer = await token('ada');
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const app = createApp({
      store: await sharedStore(),
      agents: new Map(),
      authenticate: createAuthenticate({ ...CONFIG, auth: { kind: 'secret', secret: SECRET } }),
      send: async () => true,
      notReady: async () => [],
      syncWaitMaxMs: 1000,
      draining: new AbortController().signal,
      checkEdit: () => ({ canonical: '{}' }),
      log: quiet,
    });
    const handle = app.callback();
    server = createGuardedServer((req, res) => void handle(req, res), {
      keepAliveMs: KEEP_ALIVE_MS,
      maxConnections: MAX_CONNECTIONS,
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  const post = (length: number): string =>
    `POST /api/agents/x/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

  function exchange(
    parts: readonly (string | Buffer)[],
    everyMs = 0,
    patienceMs = 9000,
  ): Promise<Exchange> {
    return new Promise((resolve) => {
      const t0 = performance.now();
      let text = '';
      let next = 0;
      const socket = connect(port, '127.0.0.1');
      const write = (): void => {
        const part = parts[next++];
        if (part !== undefined && !socket.destroyed) socket.write(part);
      };
      const timer = setInterval(write, everyMs || 10);
      const deadline = setTimeout(() => done(false), patienceMs);
      const done = (closed: boolean): void => {
        clearInterval(timer);
        clearTimeout(deadline);
        socket.destroy();
        resolve({ text, ms: performance.now() - t0, closed });
      };
      socket.on('data', (data) => (text += data.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => done(true));
    });
  }

  it('slow headers, half a line, no request at all, a dripping body and one that nobody reads: cut in time, while others are served', async () => {
    const drip = (first: string): Promise<Exchange> =>
      exchange([first, ...Array<string>(60).fill('a')], 300);
    const slow = [
      exchange(
        ['GET /api/agents HTTP/1.1\r\nHost: x\r\n', ...Array<string>(60).fill('X-A: b\r\n')],
        300,
      ),
      exchange(['GET /api/ag']),
      exchange([]),
      drip(`${post(5000)}{"mess`),
      drip(post(5000).replace(/Bearer [^\r]*/, 'Bearer none')),
    ];
    for (let i = 0; i < 20; i++) {
      const t0 = performance.now();
      const response = await fetch(`http://127.0.0.1:${port}/api/agents`, {
        headers: { authorization: `Bearer ${bearer}` },
      });
      assert.equal(response.status, 200);
      assert.ok(performance.now() - t0 < 1000);
    }
    const got = await Promise.all(slow);
    for (const [index, { closed, ms }] of got.entries())
      assert.ok(closed && ms < 7500, `${index}: ${closed} ${ms}`);
    assert.match(got[3]?.text ?? '', /400 Bad Request[^]*problem\+json[^]*too slowly/);
    assert.match(got[0]?.text ?? '', /408[^]*problem\+json/);
  });

  it('a body that keeps the pace is taken, however long it takes', async () => {
    const piece = Buffer.alloc(20 * 1024, 0x20);
    const { text } = await exchange(
      [
        post(30 * piece.length).replace('Host', 'Connection: close\r\nHost'),
        ...Array<Buffer>(30).fill(piece),
      ],
      200,
    );
    assert.match(text, /400 Bad Request[^]*MALFORMED_JSON/, 'read to its end: blanks are no JSON');
  });

  it('what node itself would answer is a problem: no HTTP, headers too long, an expectation', async () => {
    for (const [sent, status] of [
      ['nonsense\r\n\r\n', 400],
      [`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
      ['GET / HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n\r\n', 417],
      [
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
        400,
      ],
      ['GET / HTTP/1.1\r\n\r\n', 400],
    ] as const) {
      const { text, closed } = await exchange([sent], 0, 4000);
      assert.ok(
        text.startsWith(`HTTP/1.1 ${status} `) && closed,
        `${sent.slice(0, 40)}: ${text.slice(0, 200)}`,
      );
      const [head = '', body = ''] = text.split('\r\n\r\n');
      const lines = head.split('\r\n').slice(1);
      const headers = Object.fromEntries(
        lines.map((line) => [line.split(': ')[0]?.toLowerCase(), line.split(': ')[1]]),
      );
      tellsNothing({ method: 'GET', status, headers, text: body });
    }
  });

  const GET_LIVE = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n';

  it('a kept connection that sends what is no request is closed, one that sends nothing is kept as long as is set', async () => {
    const [blank, silent] = await Promise.all([
      exchange([GET_LIVE, ...Array<string>(100).fill('\r\n')], 400, 20_000),
      exchange([GET_LIVE], 0, 20_000),
    ]);
    for (const { text } of [blank, silent]) assert.match(text, /^HTTP\/1\.1 200 /);
    assert.ok(blank.closed && blank.ms < KEEP_ALIVE_MS, `${blank.ms} ms`);
    assert.ok(silent.closed && silent.ms > KEEP_ALIVE_MS - 1000, `${silent.ms} ms`);
    assert.ok(silent.ms < KEEP_ALIVE_MS + 4000, `${silent.ms} ms`);
  });

  it('a kept connection takes its next request at any moment of that time', async () => {
    const waits = Array<string>(10).fill('');
    const { text } = await exchange(
      [
        GET_LIVE,
        ...waits,
        GET_LIVE,
        ...waits,
        GET_LIVE.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
      ],
      700,
      30_000,
    );
    assert.equal(text.match(/^HTTP\/1\.1 200 /gm)?.length, 3);
  });

  it('a chunked body does not go on after its answer', async () => {
    const head = post(1)
      .replace(/Bearer [^\r]*/, 'Bearer none')
      .replace('Content-Length: 1', 'Transfer-Encoding: chunked');
    const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`;
    const { text, closed, ms } = await exchange(
      [head, ...Array<string>(200).fill(chunk)],
      100,
      15_000,
    );
    assert.match(text, /^HTTP\/1\.1 401 /, 'and it was there to be read');
    assert.ok(closed && ms < 6000, `${ms} ms`);
  });

  it('no more connections are held than are set, and one that ends makes room', async () => {
    const sockets = Array.from({ length: MAX_CONNECTIONS }, () => connect(port, '127.0.0.1'));
    try {
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      const refused = await exchange([GET_LIVE], 0, 3000);
      assert.ok(refused.closed && refused.text === '', refused.text);
      const [first] = sockets;
      first?.destroy();
      await until('a request is taken again', async () =>
        (await exchange([GET_LIVE], 0, 300)).text.startsWith('HTTP/1.1 200'),
      );
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});
