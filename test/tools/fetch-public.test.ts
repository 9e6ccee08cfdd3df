// Addresses from users and models: sixty spellings of inside ones, redirects into them, names that
// answer with them; a canary that must never hear of it. And what a public read does with size,
// compression and time.

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { gzipSync } from 'node:zlib';
import { readPublic, type PublicAnswer } from '../../src/egress/fetch-public.ts';
import { publicAddresses } from '../../src/egress/public-address.ts';

const INSIDE = [
  ...[
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '017700000001',
    '127.0.0.1.',
    '0x7f.1',
  ],
  ...[
    '127.127.127.127',
    '0',
    '0.0.0.0',
    '00.0.0.0',
    '０.0.0.0',
    '１２７.0.0.1',
    '127。0。0。1',
    '①②⑦.0.0.1',
    '%31%32%37.0.0.1',
    '127.0.0.0x1',
  ],
  ...[
    'localhost',
    'LOCALHOST',
    'localhost.',
    'foo.localhost',
    'ｌocalhost',
    'ip6-localhost',
    hostname(),
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
  ],
  ...[
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:0:127.0.0.1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b::127.0.0.1]',
  ],
  ...[
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
    '[fe80::1]',
    '[fec0::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
  ],
  ...[
    '[100::1]',
    '[2001:db8::1]',
    '[5f00::1]',
    '[::ffff:169.254.169.254]',
    '169.254.169.254',
    '169.254.170.2',
    '2852039166',
    '10.0.0.1',
  ],
  ...[
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.0.192',
    '100.64.0.1',
    '100.100.100.200',
    '198.18.0.1',
    '192.0.2.1',
    '224.0.0.1',
  ],
  ...[
    '240.0.0.1',
    '255.255.255.255',
    '168.63.129.16',
    'user:pw@127.0.0.1',
    'example.org@127.0.0.1',
  ],
];

describe('reading public addresses', () => {
  let hits: string[] = [];
  let answer: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) =>
    void res.end('canary');
  let server: Server;
  let port = 0;
  before(async () => {
    server = createServer((req, res) => {
      hits.push(`${req.headers.host}${req.url}`);
      answer(req, res);
    });
    await new Promise<void>((resolve) => server.listen(0, '::', resolve));
    port = (server.address() as AddressInfo).port;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  beforeEach(() => {
    hits = [];
  });
  const read = (
    url: string,
    allow: readonly string[] = [],
    more: object = {},
  ): Promise<PublicAnswer> =>
    readPublic({
      ...{
        url,
        addresses: publicAddresses(allow),
        timeoutMs: 3000,
        signal: new AbortController().signal,
        maxBytes: 1000,
        accept: '*/*',
      },
      ...more,
    });

  it(`${INSIDE.length} spellings of inside addresses never reach the canary`, async () => {
    assert.ok(INSIDE.length >= 60);
    for (const host of INSIDE) {
      const got = await read(`http://${host}:${port}/x`);
      assert.ok(got.kind !== 'ANSWER', host);
    }
    assert.deepEqual(hits, []);
  });

  it('literals and localhost are found out before anything is fetched', () => {
    const { problem } = publicAddresses([]);
    for (const host of INSIDE.filter(
      (h) => !['ip6-localhost', hostname(), '100.100.100.200'].includes(h),
    ))
      assert.equal(typeof problem(`http://${host}:${port}/x`), 'string', host);
    for (const url of [
      'file:///etc/passwd',
      'ftp://example.org/x',
      '//example.org/x',
      'http:example.org',
      'gopher://x',
      'data:,x',
      'x',
      'http://',
      `http://e.org/${'a'.repeat(3000)}`,
    ])
      assert.equal(typeof problem(url), 'string', url);
    for (const url of [
      'http://example.org/x',
      'https://example.org:8443/?q=1',
      'http://8.8.8.8/',
      'http://[2606:4700::1111]/',
    ])
      assert.equal(problem(url), undefined, url);
  });

  it('a redirect into an inside address is not followed, wherever it is', async () => {
    const allow = [`127.0.0.1:${port}`];
    for (const target of [
      `http://localhost:${port}/secret`,
      `http://[::ffff:127.0.0.1]:${port}/secret`,
      `//0x7f.1:${port + 1}/secret`,
      'file:///etc/passwd',
      'http://169.254.169.254/',
    ]) {
      hits = [];
      answer = (req, res) =>
        void (req.url === '/go'
          ? res.writeHead(302, { location: '/again' }).end()
          : res.writeHead(307, { location: target }).end());
      const got = await read(`http://127.0.0.1:${port}/go`, allow);
      assert.equal(got.kind, 'REFUSED', target);
      assert.deepEqual(hits, [`127.0.0.1:${port}/go`, `127.0.0.1:${port}/again`]);
    }
  });

  it('five redirects are followed, a sixth is not', async () => {
    answer = (req, res) => {
      const n = Number(req.url?.slice(1));
      if (n === 0) res.end('there');
      else res.writeHead(301, { location: `/${n - 1}` }).end();
    };
    const allow = ['127.0.0.0/8'];
    const there = await read(`http://127.0.0.1:${port}/5`, allow);
    assert.ok(
      there.kind === 'ANSWER' && there.bytes.toString() === 'there' && there.url.endsWith('/0'),
    );
    assert.equal((await read(`http://127.0.0.1:${port}/6`, allow)).kind, 'REFUSED');
  });

  it('exceptions hold for a host, a host with its port, or a range, and for no more', async () => {
    answer = (_req, res) => void res.end('in');
    for (const [allow, host, kind] of [
      ['127.0.0.1', '127.0.0.1', 'ANSWER'],
      [`127.0.0.1:${port}`, '127.0.0.1', 'ANSWER'],
      ['127.0.0.0/8', '127.0.0.1', 'ANSWER'],
      ['localhost', 'localhost', 'ANSWER'],
      ['::1', '[::1]', 'ANSWER'],
      [`[::1]:${port}`, '[::1]', 'ANSWER'],
      ['::/0', '127.0.0.1', 'REFUSED'],
      ['127.0.0.1:1', '127.0.0.1', 'REFUSED'],
      ['10.0.0.0/8', '127.0.0.1', 'REFUSED'],
      ['localhost', '127.0.0.1', 'REFUSED'],
    ] as const)
      assert.equal((await read(`http://${host}:${port}/`, [allow])).kind, kind, `${allow} ${host}`);
  });

  it('bytes are counted after decompression, and no more of a bomb is inflated than is asked for', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    answer = (_req, res) => void res.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    const before = process.memoryUsage().rss;
    const got = await read(`http://127.0.0.1:${port}/`, ['127.0.0.1'], { maxBytes: 5000 });
    assert.ok(got.kind === 'ANSWER' && got.truncated && got.bytes.length === 5000);
    assert.ok(process.memoryUsage().rss - before < 100_000_000);
  });

  it('a server that drips, breaks off or lies about its encoding fails in time', async () => {
    answer = (_req, res) => void res.writeHead(200, { 'content-length': '100' }).write('x');
    const t0 = performance.now();
    assert.equal(
      (await read(`http://127.0.0.1:${port}/`, ['127.0.0.1'], { timeoutMs: 500 })).kind,
      'FAILED',
    );
    assert.ok(performance.now() - t0 < 2000);
    answer = (_req, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('x');
      setTimeout(() => res.destroy(), 50);
    };
    assert.equal((await read(`http://127.0.0.1:${port}/`, ['127.0.0.1'])).kind, 'FAILED');
    answer = (_req, res) => void res.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip');
    assert.equal((await read(`http://127.0.0.1:${port}/`, ['127.0.0.1'])).kind, 'FAILED');
    assert.equal((await read('http://no-such-host.invalid/')).kind, 'FAILED');
  });
});
