// What a model call is given to see: this run's media, fetched once where they came as addresses,
// and those of the session's earlier runs.

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadMedia, type MediaByOwner } from '../../src/activities/run-media.ts';
import { transcriptOf } from '../../src/activities/transcript.ts';
import { publicAddresses } from '../../src/egress/public-address.ts';
import { contentHash, type NewMedia } from '../../src/store/runs/media.ts';
import { beginTurn, type TurnWork } from '../../src/store/turns/turns.ts';
import type { NewRun } from '../../src/store/runs/runs.ts';
import { agent, drive, openBench, type Bench } from './fixture.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const image = (bytes: Buffer): NewMedia => ({
  type: 'image/png',
  bytes,
  sha256: contentHash(bytes),
});
const URI = `data:image/png;base64,${PNG.toString('base64')}`;

describe('media of runs', () => {
  let bench: Bench;
  let server: Server;
  let origin = '';
  let fetches = 0;
  let status = 200;
  before(async () => {
    bench = await openBench();
    server = createServer((_req, res) => {
      fetches++;
      res.writeHead(status, { 'content-type': 'image/png' }).end(PNG);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.close();
    await bench.close();
  });
  const seeing = agent({ vision: true });
  const work = async (run: NewRun): Promise<TurnWork> => {
    const begun = await bench.store.asWorker((tx) =>
      beginTurn(tx, run.runId, 1, crypto.randomUUID()),
    );
    assert.ok(begun.kind === 'WORK');
    return begun.work;
  };
  const load = async (of: TurnWork, allow: readonly string[] = [origin]): Promise<MediaByOwner> =>
    loadMedia(
      { store: bench.store, addresses: publicAddresses(allow) },
      of,
      new AbortController().signal,
    );

  it('a run sees its images, and a later run of the session sees them again', async () => {
    const s = drive(bench.store);
    const first = await s.start({
      agent: seeing,
      input: 'What is this?',
      media: [image(PNG), { type: 'image/png', url: `http://${origin}/a.png` }],
    });
    const firstWork = await work(first);
    assert.deepEqual(
      (await load(firstWork)).get(first.runId),
      [URI, URI].map((url) => ({ kind: 'image', url })),
    );
    await load(firstWork);
    assert.equal(fetches, 1, 'fetched once, then kept');
    await s.answers(first, 1, 'A dot.');
    const second = await s.start({
      agent: seeing,
      input: 'And its colour?',
      sessionId: first.sessionId,
    });
    const secondWork = await work(second);
    const messages = transcriptOf(secondWork, await load(secondWork)).filter(
      (message) => message.role === 'user',
    );
    assert.deepEqual(
      messages.map((message) => (message.role === 'user' ? (message.media ?? []).length : 0)),
      [2, 0],
    );
  });

  it('what cannot be had, is not what it was declared to be, or leads inside ends the run as MEDIA_UNAVAILABLE', async () => {
    const s = drive(bench.store);
    for (const [url, type, code, allow] of [
      [`http://${origin}/a.png`, 'image/jpeg', 200, [origin]],
      [`http://${origin}/a.png`, 'image/png', 404, [origin]],
      [`http://${origin}/a.png`, 'image/png', 500, [origin]],
      [`http://${origin}/a.png`, 'image/png', 200, []],
      ['http://no-such-host.invalid/a.png', 'image/png', 200, []],
    ] as const) {
      status = code;
      const run = await s.start({ agent: seeing, media: [{ type, url }] });
      const error = await load(await work(run), allow).catch(
        (thrown: unknown) => thrown as { type?: string; message: string },
      );
      assert.ok('type' in error && error.type === 'MEDIA_UNAVAILABLE', url);
      assert.ok(!error.message.includes('127.0.0.1') && !error.message.includes('no-such-host'));
    }
    status = 200;
  });

  it('an agent that sees no more, and a session with more than fits: a note is where the image was', async () => {
    const s = drive(bench.store);
    const big = (n: number): Buffer => Buffer.concat([PNG, Buffer.alloc(9 * 2 ** 20, n)]);
    let sessionId: string | undefined;
    let last: NewRun | undefined;
    for (let i = 0; i < 3; i++) {
      last = await s.start({
        agent: seeing,
        media: [image(big(i))],
        ...(sessionId === undefined ? {} : { sessionId }),
      });
      sessionId = last.sessionId;
      if (i < 2) await s.answers(last, 1, 'ok');
    }
    const now = await work(last as NewRun);
    const kinds = [...(await load(now)).values()].map(([part]) => part?.kind);
    assert.deepEqual(kinds, ['image', 'image', 'text'], 'the newest first');
    const blind = await load({ ...now, agent: { ...now.agent, vision: false } });
    assert.deepEqual(
      [...blind.values()].map(([part]) => part?.kind),
      ['text', 'text', 'text'],
    );
  });
});
