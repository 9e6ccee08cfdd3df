import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readEvents, type ServerSentEvent } from '../../client/sse.ts';

async function read(chunks: readonly Uint8Array[]): Promise<ServerSentEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('the client’s reader of event streams', () => {
  it('comments, unknown fields and events without data are passed over; an event that was cut off is none', async () => {
    const text =
      ': hello\n\nretry: 5\nid: 1\n\nid: 2.0\nevent: START\ndata: {"a":1}\n\ndata:x\ndata: y\n\nid: 3\ndata: cut';
    assert.deepEqual(await read([bytes(text)]), [
      { id: '2.0', event: 'START', data: '{"a":1}' },
      { id: '', event: '', data: 'x\ny' },
    ]);
  });

  it('gives the same events however the bytes are cut and the lines end', async () => {
    const text =
      'id: 1\nevent: A\ndata: {"t":"grün 😀: x"}\n\n: ping\n\nid: 2\nevent: B\ndata: 2\n\n';
    const seed = Number(process.env['HOLDPOINT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const property = fc.asyncProperty(
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 12 }),
      async (end, cuts) => {
        const all = bytes(text.replaceAll('\n', end) + end);
        const at = [0, ...cuts.toSorted((a, b) => a - b), all.length];
        const chunks = at.slice(1).map((to, i) => all.slice(at[i], to));
        assert.deepEqual(await read(chunks), [
          { id: '1', event: 'A', data: '{"t":"grün 😀: x"}' },
          { id: '2', event: 'B', data: '2' },
        ]);
      },
    );
    await fc.assert(property, { seed });
    console.log(`      seed ${seed}`);
  });
});
