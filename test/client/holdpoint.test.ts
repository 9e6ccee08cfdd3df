import assert from 'node:assert/strict';
import {
  ApiProblem,
  createHoldpoint,
  type Holdpoint,
  type StreamFrame,
} from '../../client/holdpoint.ts';
import { clientTypes, writtenTypes } from '../../client/generate-types.ts';
import { watchedFetch } from '../rig/tells-nothing.ts';
import { newOrg, startApiRig, token, type ApiRig } from '../api/api-rig.ts';

describe('the typed client against the running API', () => {
  let api: ApiRig;
  before(async () => {
    api = await startApiRig();
  });
  after(() => api.close());
  const client = (
    org = newOrg(),
    more: Partial<Parameters<typeof createHoldpoint>[0]> = {},
  ): Holdpoint =>
    createHoldpoint({
      baseUrl: `${api.url}/`,
      token: () => token('ada', { org }),
      fetch: watchedFetch,
      ...more,
    });
  const all = async (frames: AsyncIterable<StreamFrame>): Promise<StreamFrame[]> => {
    const list = [];
    for await (const frame of frames) list.push(frame);
    return list;
  };

  it('its types are those of the document', async function () {
    this.timeout(60_000);
    assert.equal(writtenTypes(), await clientTypes(), 'npm run client:types');
  });

  it('asks and waits, decides and waits, in one call each', async () => {
    const holdpoint = client();
    assert.equal((await holdpoint.run('guard', { message: 'answer' })).content, 'The answer.');
    const paused = await holdpoint.run('guard', { message: 'pause' });
    assert.equal(paused.status, 'PAUSED');
    const [call] = paused.pending ?? assert.fail();
    const { callId, argumentsHash } = call ?? assert.fail();
    const done = await holdpoint.decide('guard', paused.runId, {
      action: 'APPROVE',
      callId,
      argumentsHash,
    });
    assert.deepEqual(
      [done.status, done.runId, done.tools[0]?.result],
      ['COMPLETED', paused.runId, 'sent'],
    );
    assert.equal((await holdpoint.wait('guard', done.runId)).status, 'COMPLETED');
  });

  it('every other operation is there by its path, typed', async () => {
    const holdpoint = client();
    const { runId } = await holdpoint.run('guard', { message: 'pause' });
    const { data } = await holdpoint.api.GET('/api/approvals', { params: { query: { limit: 5 } } });
    assert.deepEqual(
      data?.data.map((line) => line.runId),
      [runId],
    );
  });

  it('a refusal is an error with the problem’s code', async () => {
    const holdpoint = client();
    await assert.rejects(
      holdpoint.run('nobody', { message: 'Hello' }),
      (e) => e instanceof ApiProblem && e.code === 'NOT_FOUND',
    );
    await assert.rejects(
      holdpoint.run('guard', { message: ' ' }),
      (e) => e instanceof ApiProblem && e.problem?.errors?.[0]?.path === 'message',
    );
    await assert.rejects(
      all(holdpoint.stream('nobody', { message: 'Hello' })),
      (e) => e instanceof ApiProblem && e.status === 404,
    );
  });

  it('a request whose answer was lost is repeated and starts once', async () => {
    const org = newOrg();
    let lost = 0;
    const flaky: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (lost++ > 0) return response;
      await response.body?.cancel();
      throw new TypeError('fetch failed');
    };
    const holdpoint = client(org, { fetch: flaky });
    const run = await holdpoint.run('guard', { message: 'answer' });
    const { data } = await holdpoint.api.GET('/api/runs', {});
    assert.deepEqual([data?.data.map((r) => r.runId), lost], [[run.runId], 3]);
  });

  it('a stream shows the run from START to STOP, over a pause and over connections that are cut anywhere', async () => {
    const org = newOrg();
    const whole = client(org);
    const paused = await whole.run('guard', { message: 'pause' });
    await whole.decide('guard', paused.runId, { action: 'APPROVE' });
    const told = await all(whole.join('guard', paused.runId));
    assert.deepEqual([told[0]?.event, told.at(-1)?.event], ['START', 'STOP']);
    for (const bytes of [150, 333, 1000]) {
      let connections = 0;
      const cut: typeof fetch = async (input, init) => {
        const response = await fetch(input, init);
        connections += 1;
        if (response.body === null) return response;
        // Each connection lives a little longer than the one before: a frame that is longer than
        // all of them would never come.
        return new Response(response.body.pipeThrough(cutAfter(bytes * connections)), {
          status: response.status,
          headers: response.headers,
        });
      };
      assert.deepEqual(
        await all(client(org, { fetch: cut }).join('guard', paused.runId)),
        told,
        `cut after ${bytes} bytes`,
      );
      assert.ok(connections > 1);
    }
    assert.deepEqual(
      await all(whole.join('guard', paused.runId, { after: told.at(-1)?.id ?? '' })),
      [],
    );
    assert.deepEqual(
      await all(whole.join('guard', paused.runId, { after: told[1]?.id ?? '' })),
      told.slice(2),
    );
  });

  it('a run that is started by streaming is started once, whatever is cut, and can be decided meanwhile', async () => {
    const org = newOrg();
    let connections = 0;
    const cut: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      return ++connections === 1 && response.body
        ? new Response(response.body.pipeThrough(cutAfter(10)), { headers: response.headers })
        : response;
    };
    const holdpoint = client(org, { fetch: cut });
    const events: string[] = [];
    let runId = '';
    for await (const frame of holdpoint.stream('guard', { message: 'pause' })) {
      events.push(frame.event);
      if (frame.event === 'START') ({ runId } = frame.data);
      if (frame.event === 'PAUSED') await client(org).decide('guard', runId, { action: 'REJECT' });
    }
    assert.deepEqual(
      [events[0], events.includes('PAUSED'), events.at(-1)],
      ['START', true, 'STOP'],
    );
    const { data } = await holdpoint.api.GET('/api/runs', {});
    assert.equal(data?.data.length, 1);
  });

  it('a stream that is left, or aborted, is let go of', async () => {
    const holdpoint = client();
    const abort = new AbortController();
    await assert.rejects(async () => {
      for await (const frame of holdpoint.stream(
        'guard',
        { message: 'stay' },
        { signal: abort.signal },
      ))
        if (frame.event === 'START') abort.abort();
    }, /abort/i);
    for await (const frame of holdpoint.stream('guard', { message: 'stay' }))
      if (frame.event === 'START') break;
  });
});

function cutAfter(bytes: number): TransformStream<Uint8Array, Uint8Array> {
  let left = bytes;
  return new TransformStream({
    transform: (chunk, controller) => {
      controller.enqueue(chunk.slice(0, left));
      left -= chunk.length;
      if (left <= 0) controller.error(new Error('cut'));
    },
  });
}
