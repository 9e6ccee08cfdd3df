import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { sql } from 'kysely';
import { settle } from '../../src/store/runs/settle.ts';
import { newOrg, SECRET, startApiRig, token, type ApiRig, type Caller } from './api-rig.ts';
import { isProblem } from './problems.ts';
import { openStream, shown, speaker, type OpenStream, type ReceivedFrame } from './stream-rig.ts';

const names = (stream: Pick<OpenStream, 'frames'>): readonly string[] =>
  stream.frames.map((frame) => frame.event);
const ids = (frames: readonly ReceivedFrame[]): readonly string[] =>
  frames.map((frame) => frame.id);

describe('streams', () => {
  let api: ApiRig;
  let org: string;
  let ada: Caller;
  let bearer: string;
  before(async () => {
    api = await startApiRig();
  });
  beforeEach(async () => {
    org = newOrg();
    ada = api.as('ada', { org });
    bearer = await token('ada', { org });
  });
  after(() => api.close());

  const start = (message: string, headers: Record<string, string> = {}): Promise<OpenStream> =>
    openStream(`${api.url}/api/agents/guard/runs/stream`, {
      token: bearer,
      body: { message },
      headers,
    });
  const join = (runId: string, after?: string): Promise<OpenStream> =>
    openStream(`${api.url}/api/agents/guard/runs/${runId}/stream`, {
      token: bearer,
      ...(after === undefined ? {} : { headers: { 'last-event-id': after } }),
    });
  const whole = async (runId: string, after?: string): Promise<OpenStream> => {
    const stream = await join(runId, after);
    await stream.ended;
    return stream;
  };
  const runIdOf = async (stream: OpenStream): Promise<string> => {
    const { data } = await stream.first('START');
    return data.event === 'START' ? data.data.runId : '';
  };
  const begin = async (message = 'stay'): Promise<string> =>
    (await ada.run('guard', message, {}, { prefer: 'respond-async' })).json.runId;
  const complete = (runId: string, turn: number) =>
    api.store.asWorker((tx) => settle(tx, runId, { kind: 'COMPLETED', turn }, 'test'));

  it('a start that streams says START after its commit, what happens, and the whole record last', async () => {
    const stream = await start('answer');
    await stream.ended;
    assert.equal(stream.status, 200);
    assert.match(String(stream.headers['content-type']), /^text\/event-stream/);
    assert.deepEqual(
      [
        stream.headers['x-accel-buffering'],
        stream.headers['cache-control'],
        stream.headers['content-encoding'],
      ],
      ['no', 'no-store', undefined],
    );
    assert.deepEqual([names(stream)[0], names(stream).at(-1)], ['START', 'STOP']);
    const runId = await runIdOf(stream);
    assert.deepEqual(stream.frames.at(-1)?.data.data, (await ada.read('guard', runId)).json);
    for (const { event, data } of stream.frames) {
      assert.deepEqual(Object.keys(data), ['event', 'data', 'timestamp', 'turn']);
      assert.equal(data.event, event);
      assert.ok(Math.abs(data.timestamp - Date.now()) < 60_000);
    }
  });

  it('a start is refused as a plain problem before any frame, and its key joins the run it started', async () => {
    const at = (path: string, body: unknown, headers = {}) =>
      ada.call('POST', path, { body, headers });
    isProblem(await at('/api/agents/none/runs/stream', { message: 'x' }), 404, 'NOT_FOUND');
    isProblem(await at('/api/agents/guard/runs/stream', { message: ' ' }), 400, 'INVALID_REQUEST');
    isProblem(await at('/api/agents/asleep/runs/stream', { message: 'x' }), 409, 'AGENT_INACTIVE');
    const key = { 'idempotency-key': randomUUID() };
    const first = await start('answer', key);
    await first.ended;
    const again = await start('answer', key);
    await again.ended;
    assert.equal(again.headers['idempotency-replayed'], 'true');
    assert.deepEqual(again.frames, first.frames);
    isProblem(
      await at('/api/agents/guard/runs/stream', { message: 'another' }, key),
      422,
      'IDEMPOTENCY_KEY_REUSED',
    );
  });

  it('a delta reaches a reader of this process before it is stored, one frame each', async () => {
    const runId = await begin();
    const stream = await join(runId);
    const model = await speaker(api.store, runId, 1);
    for (const word of ['One ', 'two ', 'three.']) {
      const before = stream.frames.length;
      model.publish({ kind: 'CONTENT', text: word });
      await stream.until(
        () => stream.frames.length > before && stream.frames.at(-1)?.data.data === word,
      );
    }
    const stored = await api.store.asWorker((tx) =>
      sql`select 1 from deltas where run_id = ${runId}`.execute(tx.db),
    );
    assert.ok(stored.rows.length < 3);
    await model.reply('One two three.');
    await complete(runId, 1);
    await stream.ended;
    assert.equal(shown(stream.frames, 1), 'One two three.');
    assert.equal(new Set(ids(stream.frames)).size, stream.frames.length);
    stream.close();
  });

  it('PAUSED shows what was open then, to every reader alike, and the stream goes on after the decision', async () => {
    const stream = await start('pause');
    const runId = await runIdOf(stream);
    const paused = await stream.first('PAUSED');
    const run = (await ada.read('guard', runId)).json;
    assert.deepEqual(paused.data.data, { pauseId: run.pauseId, pending: run.pending });
    await ada.decide('guard', runId, { action: 'APPROVE' });
    await stream.ended;
    const kept = names(stream).filter((name) => !name.endsWith('_DELTA'));
    assert.deepEqual(kept, ['START', 'PAUSED', 'TOOL_START', 'TOOL_END', 'STOP']);
    assert.deepEqual(await whole(runId).then((again) => again.first('PAUSED')), paused);
  });

  it('a run that is cancelled or fails ends its streams with CANCELLED or ERROR, and nothing after it', async () => {
    const stream = await start('stay');
    const runId = await runIdOf(stream);
    await ada.call('DELETE', `/api/agents/guard/runs/${runId}`);
    await stream.ended;
    assert.deepEqual(
      [names(stream), stream.frames.at(-1)?.data.data],
      [['START', 'CANCELLED'], {}],
    );
    const failing = await start('stay');
    const failure = { code: 'MODEL_REJECTED', message: 'No.' } as const;
    const failed = await runIdOf(failing);
    await api.store.asWorker((tx) => settle(tx, failed, { kind: 'FAILED', failure }, 'test'));
    await failing.ended;
    assert.deepEqual(
      [names(failing), failing.frames.at(-1)?.data.data],
      [['START', 'ERROR'], failure],
    );
  });

  it('a stream ends with its token, and goes on with a new one', async () => {
    const runId = await begin();
    const soon = Math.floor(Date.now() / 1000) + 2;
    const short = await new SignJWT({ sub: 'ada', org_id: org, scope: 'runs:read' })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuedAt()
      .setExpirationTime(soon)
      .sign(new TextEncoder().encode(SECRET));
    const stream = await openStream(`${api.url}/api/agents/guard/runs/${runId}/stream`, {
      token: short,
    });
    await stream.ended;
    assert.ok(Date.now() >= soon * 1000 - 50);
    assert.deepEqual(names(stream), ['START']);
    const resumed = await join(runId, stream.frames[0]?.id);
    await ada.call('DELETE', `/api/agents/guard/runs/${runId}`);
    await resumed.ended;
    assert.deepEqual(names(resumed), ['CANCELLED']);
  });

  it('a draining server ends its streams, and they can be resumed', async () => {
    const other = await startApiRig();
    const runId = await begin();
    const stream = await openStream(`${other.url}/api/agents/guard/runs/${runId}/stream`, {
      token: bearer,
    });
    await stream.first('START');
    other.drain();
    await stream.ended;
    await other.close();
    const resumed = await join(runId, stream.frames.at(-1)?.id);
    await ada.call('DELETE', `/api/agents/guard/runs/${runId}`);
    await resumed.ended;
    assert.deepEqual(names(resumed), ['CANCELLED']);
  });

  it('fifty readers of a run get the same story, and share its reads', async () => {
    let reads = 0;
    const { store } = api;
    const counted = {
      ...store,
      asOrg: ((...args: Parameters<typeof store.asOrg>) => (
        reads++,
        store.asOrg(...args)
      )) as typeof store.asOrg,
    };
    const other = await startApiRig({ store: counted });
    const runId = await begin();
    const streams = await Promise.all(
      Array.from({ length: 50 }, () =>
        openStream(`${other.url}/api/agents/guard/runs/${runId}/stream`, { token: bearer }),
      ),
    );
    await Promise.all(streams.map((stream) => stream.first('START')));
    reads = 0;
    const model = await speaker(store, runId, 1);
    for (let i = 0; i < 20; i++) {
      model.publish({ kind: 'CONTENT', text: `w${i} ` });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const text = Array.from({ length: 20 }, (_, i) => `w${i} `).join('');
    await model.reply(text);
    await complete(runId, 1);
    await Promise.all(streams.map((stream) => stream.ended));
    for (const stream of streams) {
      assert.equal(shown(stream.frames, 1), text);
      assert.equal(names(stream).at(-1), 'STOP');
    }
    assert.ok(reads < 20, `${reads} reads for fifty readers`);
    await other.close();
  });
});
