// What a receiver says of a call that has no known outcome, and what is no answer.

import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { askReceiver, type ReceiverSays } from '../../src/tools/ask-receiver.ts';

describe('a receiver that is asked what became of a call', () => {
  let server: Server;
  let answer: RequestListener;
  const seen: { method: string; url: string; auth: string }[] = [];
  before(async () => {
    server = createServer((req, res) => {
      const { method = '', url = '', headers } = req;
      seen.push({ method, url, auth: headers.authorization ?? '' });
      answer(req, res);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => void server.close());
  beforeEach(() => void seen.splice(0));

  const says = (status: number, body: string, headers: Record<string, string> = {}) => {
    answer = (_, res) => res.writeHead(status, headers).end(body);
  };
  async function asked(secret: (name: string) => string | undefined = () => 'S3CRET-token') {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/by-key/{idempotencyKey}?order={orderId}`;
    const headers = { Authorization: 'Bearer ${LEDGER}' };
    return askReceiver(
      { reconcile: { method: 'GET', url, headers } },
      {
        arguments: { orderId: 'o 1', amountCents: 5 },
        idempotencyKey: 'run_1:call_1',
        signal: new AbortController().signal,
      },
      secret,
    );
  }
  const isNoAnswer = (said: ReceiverSays): void => assert.equal(said.kind, 'NO_ANSWER');

  it('is asked by GET, with the key and the arguments that its address names, and nothing else', async () => {
    says(200, '{"outcome":"unknown"}');
    assert.deepEqual(await asked(), { kind: 'UNKNOWN' });
    assert.deepEqual(seen, [
      {
        ...{ method: 'GET', url: '/by-key/run_1%3Acall_1?order=o%201' },
        auth: 'Bearer S3CRET-token',
      },
    ]);
  });

  it('is believed where it says done, with its result as text, without our secrets, or not_done', async () => {
    says(200, '{"outcome":"done","result":"receipt 8812"}');
    assert.deepEqual(await asked(), { kind: 'DONE', result: 'receipt 8812' });
    says(200, '{"outcome":"done","result":{"id":7,"by":"S3CRET-token"}}');
    const said = await asked();
    assert.ok(said.kind === 'DONE' && said.result.startsWith('{"id":7'));
    assert.ok(!said.result.includes('S3CRET'));
    says(200, '{"outcome":"done"}');
    assert.deepEqual(await asked(), { kind: 'DONE', result: '' });
    says(200, '{"outcome":"not_done","more":1}');
    assert.deepEqual(await asked(), { kind: 'NOT_DONE' });
  });

  it('has given no answer by another status, another shape, a redirect, a cut or a lost connection', async () => {
    for (const [status, body] of [
      [201, '{"outcome":"done"}'],
      [404, '{"outcome":"not_done"}'],
      [503, 'down'],
      [200, ''],
      [200, 'done'],
      [200, '"done"'],
      [200, '[{"outcome":"done"}]'],
      [200, '{"outcome":"DONE"}'],
      [200, '{"outcome":"done"'],
      [200, '{"outcome":"not_done","outcome":"done"}'],
      [200, '{"outcome":"not_done","result":"receipt 8812"}'],
      [200, '{"outcome":"unknown","result":null}'],
    ] as const) {
      says(status, body);
      isNoAnswer(await asked());
    }
    says(302, '', { location: '/elsewhere' });
    isNoAnswer(await asked());
    assert.ok(seen.every(({ url }) => url.startsWith('/by-key/')));
    answer = (req) => req.socket.destroy();
    isNoAnswer(await asked());
    answer = (_, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('{"outcome":"done"}');
      setTimeout(() => res.destroy(), 20);
    };
    isNoAnswer(await asked());
  });

  it('is not asked without its secret', async () => {
    says(200, '{"outcome":"done"}');
    isNoAnswer(await asked(() => undefined));
    assert.equal(seen.length, 0);
  });
});
