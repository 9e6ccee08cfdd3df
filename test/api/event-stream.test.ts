import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MAX_UNSENT_BYTES, openEventStream } from '../../src/api/http/event-stream.ts';
import type { IdentifiedFrame } from '../../src/api/runs/present-event.ts';

const FRAME_CHARS = 64 * 1024;
const big = (n: number): IdentifiedFrame => ({
  id: `1.${n}`,
  frame: { event: 'CONTENT_DELTA', data: 'x'.repeat(FRAME_CHARS), timestamp: 1, turn: 1 },
});
const later = { at: new Date(Date.now() + 3_600_000), signals: [] };

/** A server that answers by `serve`, and its answer to one request. */
async function answered(
  serve: (response: ServerResponse) => void,
): Promise<{ answer: IncomingMessage; close: () => void }> {
  const server = createServer((_request, response) => serve(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const request = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  request.on('error', () => undefined);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.on('error', () => undefined);
  return { answer, close: () => (server.closeAllConnections(), server.close()) };
}

describe('an event stream', () => {
  it('sends its headers at once and a comment whenever nothing was sent for a while', async () => {
    const { answer, close } = await answered(
      (response) => void openEventStream(response, later, { keepAliveMs: 30 }),
    );
    let text = '';
    for await (const part of answer.setEncoding('utf8'))
      if ((text += String(part)).length >= 9) break;
    assert.equal(text.slice(0, 9), ':\n\n:\n\n:\n\n');
    close();
  });

  it('holds no more than 256 KiB and a frame for a client that does not read, and cuts it off', async () => {
    let most = 0;
    let sent = 0;
    let closed: Promise<unknown> = Promise.resolve();
    const { answer, close } = await answered((response) => {
      const stream = openEventStream(response, later, { takenWithinMs: 300 });
      closed = once(response, 'close');
      void (async () => {
        while (!response.destroyed && sent < 1000) {
          await stream.send([big(++sent)]);
          most = Math.max(most, response.writableLength);
        }
        stream.close();
      })();
    });
    answer.pause();
    await closed;
    assert.ok(sent < 1000, 'it was cut off before all was sent');
    assert.ok(most <= MAX_UNSENT_BYTES + 2 * FRAME_CHARS, `${most} bytes unsent`);
    close();
  });

  it('waits for a client that reads slowly, and gives it all', async () => {
    const { answer, close } = await answered((response) => {
      const stream = openEventStream(response, later);
      void stream.send(Array.from({ length: 200 }, (_, n) => big(n))).then(stream.close);
    });
    let chars = 0;
    for await (const part of answer.setEncoding('utf8')) {
      chars += String(part).length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(chars > 200 * FRAME_CHARS);
    close();
  });
});
