import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { InboxFrameSchema } from '../../src/contract/lists.ts';
import { deleteOldInboxLines } from '../../src/store/retention.ts';
import {
  agent,
  newOrg,
  sharedStore,
  startApiRig,
  token,
  type ApiRig,
  type Caller,
  type CallerClaims,
  type Json,
  type Reply,
} from './api-rig.ts';
import { isProblem } from './problems.ts';
import { openStream, type OpenStream } from './stream-rig.ts';

const AGENTS = ['guard', 'other', 'lea_only', 'four_eyes', 'quorum_two', 'soon'].map((id) =>
  agent(id, {
    ...(id === 'lea_only'
      ? { tools: agent('x').tools.map((tool) => ({ ...tool, approvers: ['user:lea'] })) }
      : {}),
    approvals: {
      ...agent(id).approvals,
      quorum: id === 'quorum_two' ? 2 : 1,
      fourEyes: id === 'four_eyes',
      expiresAfterMs: id === 'soon' ? 2000 : null,
    },
    revision: `inbox-${id}`,
  }),
);

describe('waiting for the inbox', () => {
  let api: ApiRig;
  let org: string;
  let ada: Caller;
  const opened: OpenStream[] = [];
  const listening = new EventEmitter();
  before(async () => {
    const store = await sharedStore();
    const { announcer } = store;
    const listenInbox: typeof announcer.listenInbox = (orgId, listener) => {
      const stop = announcer.listenInbox(orgId, listener);
      listening.emit(orgId);
      return stop;
    };
    api = await startApiRig({
      agents: new Map(AGENTS.map((a) => [a.id, a])),
      store: { ...store, announcer: { ...announcer, listenInbox } },
    });
  });
  after(() => api.close());
  beforeEach(() => {
    org = newOrg();
    ada = api.as('ada', { org });
  });
  afterEach(() => {
    for (const stream of opened.splice(0)) stream.close();
  });

  const paused = async (agentId = 'guard', message = 'pause', caller = ada): Promise<Json> => {
    const { json } = await caller.run(agentId, message);
    assert.equal(json.status, 'PAUSED');
    return json;
  };
  const callOf = (run: Json): string => run.pending[0].callId;
  const watch = async (
    after?: string,
    { user = 'bob', query = '', ...claims }: CallerClaims & { user?: string; query?: string } = {},
  ): Promise<OpenStream> => {
    const stream = await openStream(`${api.url}/api/approvals/stream${query}`, {
      token: await token(user, { org, ...claims }),
      headers: after === undefined ? {} : { 'Last-Event-ID': after },
    });
    opened.push(stream);
    return stream;
  };
  const said = (stream: OpenStream): string[] =>
    stream.frames.map(({ event, data }) => `${event} ${(data as Json).data.callId}`);
  const seen = (stream: OpenStream, count: number): Promise<void> =>
    stream.until(() => stream.frames.length >= count);
  const pageOf = async (
    query: string,
    caller: Caller = api.as('bob', { org }),
  ): Promise<string[]> =>
    (await caller.call('GET', `/api/approvals${query}`)).json.data.map((d: Json) => d.callId);

  /** The page that is asked for with a wait, once it is waited for. */
  const waitedFor = async (
    query: string,
    caller = api.as('bob', { org }),
  ): Promise<{ readonly answer: Promise<Reply> }> => {
    const begun = once(listening, org);
    const answer = caller.call('GET', `/api/approvals${query}`);
    await begun;
    return { answer };
  };
  const callIds = async ({ answer }: { readonly answer: Promise<Reply> }): Promise<string[]> =>
    (await answer).json.data.map((d: Json) => d.callId);

  describe('as a page', () => {
    it('is answered when something new waits, and when something was decided', async () => {
      const first = await paused();
      const asked = await waitedFor('?wait=20');
      const second = await paused('other');
      assert.deepEqual(await callIds(asked), [callOf(first), callOf(second)]);
      const leaving = await waitedFor('?wait=20');
      await ada.decide('guard', first.runId, { action: 'REJECT' });
      assert.deepEqual(await callIds(leaving), [callOf(second)]);
    });

    it('is answered when a vote came that decides nothing yet, and when a call expires with no worker there', async () => {
      const run = await paused('quorum_two');
      const voted = await waitedFor('?wait=20');
      await ada.decide('quorum_two', run.runId, { action: 'APPROVE' });
      assert.deepEqual(
        (await voted.answer).json.data[0].votes.map((v: Json) => v.by),
        ['ada'],
      );
      const soon = await paused('soon');
      const asked = await waitedFor('?wait=20');
      assert.deepEqual(await callIds(asked), [callOf(run)]);
      const { tools } = (await ada.call('GET', `/api/runs/${soon.runId}`)).json;
      assert.deepEqual(tools[0].decision.by, ['expiry']);
    });

    it('waits its seconds where nothing changes for this caller, and not at all for wait=0', async () => {
      const begun = performance.now();
      const asked = await waitedFor('?wait=1&agentId=guard');
      await paused('lea_only');
      await paused('other');
      assert.deepEqual(await callIds(asked), []);
      assert.ok(performance.now() - begun >= 950);
      assert.equal((await pageOf('?wait=0')).length, 1);
      for (const bad of ['soon', '-1', '1.5', '99999', ''])
        isProblem(await ada.call('GET', `/api/approvals?wait=${bad}`), 400, 'INVALID_REQUEST');
    });
  });

  describe('as a stream', () => {
    it('first says what waits, oldest first and in the order of pending, then what comes, with whose run it is', async () => {
      const several = await paused('guard', 'pause: send_email, pay, drop_table');
      const stream = await watch();
      await seen(stream, 3);
      const late = await paused('other');
      await seen(stream, 4);
      assert.deepEqual(said(stream), [
        ...several.pending.map(({ callId }: Json) => `WAITING ${callId}`),
        `WAITING ${callOf(late)}`,
      ]);
      const item = (await api.as('bob', { org }).call('GET', '/api/approvals')).json.data[3];
      const frame = InboxFrameSchema.parse(stream.frames[3]?.data);
      assert.deepEqual(frame.data, item);
      assert.equal(frame.event, 'WAITING');
    });

    it('says DECIDED on a decision with what it was, on a cancel, and on an expiry with no worker there', async () => {
      const runs = [await paused(), await paused()];
      const stream = await watch();
      await seen(stream, 2);
      await ada.decide('guard', runs[0].runId, { action: 'REJECT', reason: 'no' });
      await ada.call('DELETE', `/api/runs/${runs[1].runId}`);
      await seen(stream, 4);
      const soon = await paused('soon');
      await seen(stream, 6);
      assert.deepEqual(said(stream).slice(2), [
        `DECIDED ${callOf(runs[0])}`,
        `DECIDED ${callOf(runs[1])}`,
        `WAITING ${callOf(soon)}`,
        `DECIDED ${callOf(soon)}`,
      ]);
      const decisions = stream.frames.map(({ data }) => (data as Json).data.decision);
      assert.deepEqual(
        [decisions[2].action, decisions[2].by, decisions[2].reason, decisions[3], decisions[5].by],
        ['REJECT', ['ada'], 'no', undefined, ['expiry']],
      );
    });

    it('says of a call that its user took back WITHDRAWN, by whom', async () => {
      const run = await paused();
      const stream = await watch();
      await seen(stream, 1);
      const taken = await ada.call('POST', `/api/agents/guard/runs/${run.runId}/withdraw`, {
        body: {},
      });
      assert.ok(taken.status < 300, JSON.stringify(taken.json));
      await seen(stream, 2);
      assert.deepEqual(said(stream).slice(1), [`DECIDED ${callOf(run)}`]);
      const last: Json = stream.frames[1]?.data;
      const { decision } = last.data;
      assert.deepEqual([decision.action, decision.by], ['WITHDRAWN', ['ada']]);
    });

    it('goes on after any of its frames with nothing lost and nothing twice, those of its beginning included', async () => {
      const old = [await paused(), await paused(), await paused()];
      const whole = await watch();
      await seen(whole, 3);
      await ada.decide('guard', old[0].runId, { action: 'APPROVE' });
      await ada.decide('guard', old[2].runId, { action: 'REJECT' });
      const fresh = await paused('other');
      await ada.decide('other', fresh.runId, { action: 'APPROVE' });
      const last = await paused('other');
      await seen(whole, 8);
      const all = said(whole);
      assert.deepEqual(all, [
        ...old.map((run) => `WAITING ${callOf(run)}`),
        `DECIDED ${callOf(old[0])}`,
        `DECIDED ${callOf(old[2])}`,
        `WAITING ${callOf(fresh)}`,
        `DECIDED ${callOf(fresh)}`,
        `WAITING ${callOf(last)}`,
      ]);
      for (const [i, frame] of whole.frames.entries()) {
        const rest = await watch(frame.id);
        if (i < 7) await seen(rest, 7 - i);
        assert.deepEqual(said(rest), all.slice(i + 1), `after frame ${i}`);
        assert.deepEqual(
          rest.frames.map(({ id }) => id),
          whole.frames.slice(i + 1).map(({ id }) => id),
        );
      }
    });

    it('a page of the record that is cut anywhere loses nothing', async () => {
      const runs = [];
      for (let i = 0; i < 27; i++)
        runs.push(await paused('guard', 'pause: send_email, pay, drop_table, pay'));
      const stream = await watch();
      await seen(stream, 108);
      const expected = runs.flatMap((run) => run.pending.map((p: Json) => `WAITING ${p.callId}`));
      assert.deepEqual(said(stream), expected);
      const cut = await watch(stream.frames[50]?.id);
      await seen(cut, 57);
      assert.deepEqual(said(cut), expected.slice(51));
    });

    it('shows what the caller may vote on and nothing else: policy, four eyes, agent, org', async () => {
      const mine = await paused('four_eyes');
      const leas = await paused('lea_only');
      const bobs = await watch();
      const adas = await watch(undefined, { user: 'ada' });
      const lea = await watch(undefined, { user: 'lea' });
      const only = await watch(undefined, { user: 'lea', query: '?agentId=other' });
      await paused('guard', 'pause', api.as('ada', { org: newOrg() }));
      const anyones = await paused('other');
      await seen(bobs, 2);
      await seen(lea, 3);
      await seen(adas, 1);
      await seen(only, 1);
      const waiting = (...runs: Json[]): string[] => runs.map((run) => `WAITING ${callOf(run)}`);
      assert.deepEqual(said(bobs), waiting(mine, anyones));
      assert.deepEqual(said(lea), waiting(mine, leas, anyones));
      assert.deepEqual(said(adas), waiting(anyones));
      assert.deepEqual(said(only), waiting(anyones));
    });

    it('an unreadable id is 400, one of more than there is goes on at the end, one that retention has overtaken is 410', async () => {
      const run = await paused();
      const bob = api.as('bob', { org });
      for (const bad of ['x', '1', '-1.0', '1.0.0'])
        isProblem(
          await bob.call('GET', '/api/approvals/stream', { headers: { 'Last-Event-ID': bad } }),
          400,
          'INVALID_REQUEST',
        );
      const ahead = await watch('900000.900000');
      await ada.decide('guard', run.runId, { action: 'APPROVE' });
      await seen(ahead, 1);
      assert.deepEqual(said(ahead), [`DECIDED ${callOf(run)}`]);
      await deleteOldInboxLines(api.store, 0);
      isProblem(
        await bob.call('GET', '/api/approvals/stream', { headers: { 'Last-Event-ID': '1.1' } }),
        410,
        'EVENTS_GONE',
      );
      const anew = await watch();
      const next = await paused();
      await seen(anew, 1);
      assert.deepEqual(said(anew), [`WAITING ${callOf(next)}`]);
    });

    it('needs runs:approve, and ends with the token', async () => {
      isProblem(
        await api.as('bob', { org, scope: 'runs:read' }).call('GET', '/api/approvals/stream'),
        403,
        'INSUFFICIENT_SCOPE',
      );
      const brief = await openStream(`${api.url}/api/approvals/stream`, {
        token: await token('bob', { org }, '2 s'),
      });
      await brief.ended;
    });
  });
});
