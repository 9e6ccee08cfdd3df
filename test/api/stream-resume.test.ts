import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sql } from 'kysely';
import { settle } from '../../src/store/runs/settle.ts';
import { newOrg, startApiRig, token, UNKNOWN_RUN, type ApiRig, type Caller } from './api-rig.ts';
import { isProblem } from './problems.ts';
import { openStream, shown, speaker, type OpenStream, type ReceivedFrame } from './stream-rig.ts';

const names = (stream: Pick<OpenStream, 'frames'>): readonly string[] =>
  stream.frames.map((frame) => frame.event);
const ids = (frames: readonly ReceivedFrame[]): readonly string[] =>
  frames.map((frame) => frame.id);

describe('resuming a stream', () => {
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
  const begin = async (message = 'stay'): Promise<string> =>
    (await ada.run('guard', message, {}, { prefer: 'respond-async' })).json.runId;
  const complete = (runId: string, turn: number) =>
    api.store.asWorker((tx) => settle(tx, runId, { kind: 'COMPLETED', turn }, 'test'));

  /** A run with everything in it, and what one live reader got of it. */
  async function eventfulRun(): Promise<{ runId: string; live: OpenStream }> {
    const runId = await begin();
    const live = await join(runId);
    const first = await speaker(api.store, runId, 1);
    first.publish({ kind: 'REASONING', text: 'Hm ' });
    first.publish({ kind: 'CONTENT', text: 'I look' });
    await live.until(() => names(live).includes('CONTENT_DELTA'));
    await first.fail();
    const second = await speaker(api.store, runId, 1);
    for (const text of ['Hm', ', 1', '20 ']) second.publish({ kind: 'REASONING', text });
    second.publish({ kind: 'CONTENT', text: 'I look 👀' });
    await second.reply('I look 👀');
    const [callId = ''] = await api.runs.ask(runId, 2, ['send_email']);
    await api.runs.pause(runId, 2, 1, 'APPROVAL', [callId]);
    await ada.decide(
      'guard',
      runId,
      { action: 'REJECT', reason: 'no' },
      { prefer: 'respond-async' },
    );
    const last = await speaker(api.store, runId, 3);
    for (const text of 'It was not sent, since ada said no. 🙂🙂'.split('')) {
      last.publish({ kind: 'CONTENT', text });
      if (text === ',') await live.until(() => live.frames.at(-1)?.data.data === ',');
    }
    await last.reply('It was not sent, since ada said no. 🙂🙂');
    await api.store.asWorker((tx) =>
      sql`update runs set follow_ups = '["And now?"]' where run_id = ${runId}`.execute(tx.db),
    );
    await complete(runId, 3);
    await live.ended;
    return { runId, live };
  }

  it('a joined or resumed stream is the same story: at every position of a finished run nothing is lost and nothing comes twice', async () => {
    const { runId, live } = await eventfulRun();
    const full = await whole(runId);
    const events = (frames: readonly ReceivedFrame[]) =>
      frames.filter((f) => !f.event.endsWith('_DELTA'));
    assert.deepEqual(events(full.frames), events(live.frames));
    const said = (frames: readonly ReceivedFrame[]): string =>
      JSON.stringify(
        frames.reduce<[string, number, string][]>((all, { data }) => {
          const text = data.event.endsWith('_DELTA') ? String(data.data) : '';
          const last = all.at(-1);
          if (text !== '' && last?.[0] === data.event && last[1] === data.turn) last[2] += text;
          else all.push([data.event, data.turn, text]);
          return all;
        }, []),
      );
    assert.equal(said(full.frames), said(live.frames));
    const content = (await ada.read('guard', runId)).json.content;
    assert.ok(content.endsWith('- And now?'));
    assert.equal(shown(live.frames, 3), content);
    const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
    console.log(`      seed ${seed}`);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(live, full), fc.nat(), async (source, at) => {
        const head = source.frames.slice(0, 1 + (at % (source.frames.length - 1)));
        const tail = await whole(runId, head.at(-1)?.id);
        assert.equal(tail.status, 200);
        const all = [...head, ...tail.frames];
        assert.equal(new Set(ids(all)).size, all.length);
        assert.equal(said(all), said(full.frames));
        assert.deepEqual(tail.frames.at(-1), full.frames.at(-1));
      }),
      { seed, numRuns: 40 },
    );
  });

  it('RETRY names the last frame before the turn, so that a client shows the attempt that counts; a killed one leaves ids that never come again', async () => {
    const runId = await begin();
    const live = await join(runId);
    const killed = await speaker(api.store, runId, 1);
    for (const text of ['This ', 'is ', 'lost']) killed.publish({ kind: 'CONTENT', text });
    await live.until(() => live.frames.at(-1)?.data.data === 'lost');
    killed.die();
    const sentId = live.frames.at(-1)?.id;
    const again = await speaker(api.store, runId, 1);
    again.publish({ kind: 'CONTENT', text: 'This holds' });
    await again.reply('This holds');
    await complete(runId, 1);
    await live.ended;
    const retry = await live.first('RETRY');
    assert.deepEqual(retry.data.data, { keepThrough: live.frames[0]?.id });
    assert.equal(shown(live.frames, 1), 'This holds');
    const resumed = await whole(runId, sentId);
    assert.equal(names(resumed)[0], 'RETRY');
    assert.equal(
      resumed.frames.filter((frame) => ids(live.frames.slice(0, 4)).includes(frame.id)).length,
      0,
    );
    assert.equal(shown([...live.frames.slice(0, 4), ...resumed.frames], 1), 'This holds');
  });

  it('a reply recorded by an attempt that was taken for dead is sent again after the text of the next', async () => {
    const runId = await begin();
    const live = await join(runId);
    const slow = await speaker(api.store, runId, 1);
    slow.publish({ kind: 'CONTENT', text: 'I was first' });
    const next = await speaker(api.store, runId, 1);
    next.publish({ kind: 'CONTENT', text: 'No, I' });
    await live.until(() => live.frames.at(-1)?.data.data === 'No, I');
    await slow.reply('I was first');
    next.publish({ kind: 'CONTENT', text: ' am' });
    next.die();
    await complete(runId, 1);
    await live.ended;
    assert.equal(shown(live.frames, 1), 'I was first');
    assert.equal(shown((await whole(runId)).frames, 1), 'I was first');
  });

  it('nothing is left after the end: 204; what is no id: 400; what retention deleted: 410; what one may not see: 404', async () => {
    const { runId } = (await ada.run('guard', 'answer')).json;
    const path = `/api/agents/guard/runs/${runId}`;
    const last = (await whole(runId)).frames.at(-1)?.id ?? '';
    for (const r of [
      await ada.call('GET', `${path}/stream`, { headers: { 'last-event-id': last } }),
      await ada.call('GET', `${path}/stream?after=${last}`),
      await ada.call('GET', `${path}/stream?after=99.0`),
    ])
      assert.deepEqual([r.status, r.text], [204, '']);
    for (const id of ['-1', 'abc', '../..', '1', '1.', '01.0', '1.0 2.0'])
      isProblem(
        await ada.call('GET', `${path}/stream`, { headers: { 'last-event-id': id } }),
        400,
        'INVALID_REQUEST',
      );
    isProblem(await ada.call('GET', `${path}/stream?after=x`), 400, 'INVALID_REQUEST');
    isProblem(await ada.call('GET', `${path}/stream?since=1.0`), 400, 'INVALID_REQUEST');
    isProblem(
      await ada.call('GET', `/api/agents/guard/runs/${UNKNOWN_RUN}/stream`),
      404,
      'NOT_FOUND',
    );
    isProblem(await ada.call('GET', `/api/agents/other/runs/${runId}/stream`), 404, 'NOT_FOUND');
    isProblem(
      await api.as('eve', { org: newOrg() }).call('GET', `${path}/events`),
      404,
      'NOT_FOUND',
    );
    await api.store.asWorker((tx) =>
      sql`delete from events where run_id = ${runId}`.execute(tx.db),
    );
    isProblem(await ada.call('GET', `${path}/stream`), 410, 'EVENTS_GONE');
    isProblem(await ada.call('GET', `${path}/events`), 410, 'EVENTS_GONE');
    assert.equal((await ada.call('GET', `${path}/stream?after=${last}`)).status, 204);
  });

  it('stored events come in pages, with the ids and the bodies of the stream', async () => {
    const { runId } = await eventfulRun();
    const all = (await whole(runId)).frames.map(({ id, data }) => ({ id, ...data }));
    const path = `/api/agents/guard/runs/${runId}/events`;
    assert.deepEqual((await ada.call('GET', `${path}?limit=100`)).json, {
      data: all,
      hasMore: false,
      nextCursor: null,
    });
    const paged = [];
    for (let next = `${path}?limit=3`; next !== '';) {
      const { json } = await ada.call('GET', next);
      paged.push(...json.data);
      next = json.hasMore ? `${path}?limit=3&after=${json.nextCursor}` : '';
    }
    assert.deepEqual(paged, all);
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'after=x', 'before=1.0'])
      isProblem(await ada.call('GET', `${path}?${query}`), 400, 'INVALID_REQUEST');
  });
});
