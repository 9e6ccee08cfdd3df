import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WaitingCall } from '../../src/contract/lists.ts';
import type { RunResponse } from '../../src/contract/run.ts';
import { openStream, type OpenStream } from '../api/stream-rig.ts';
import { startCluster, type Cluster } from './cluster.ts';
import { pendingOf, plan, tokenOf, type Caller } from './stage.ts';

/** A request that was sent is being answered by then; the other process says nothing of it. */
const ASKED_MS = 500;
/** What is lost between two processes is made up for every 2 s: this is sooner. */
const AT_ONCE_MS = 1500;

describe('the inbox, with two API processes on one PostgreSQL', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let ada: Caller;
  const opened: OpenStream[] = [];
  before(async function () {
    cluster = await startCluster(this, { apis: 2, workers: 1 });
    ada = await cluster.as('ada', 0);
    // The worker is there: what follows is timed.
    await ada.ask(plan('Here.'));
  });
  after(async () => {
    for (const stream of opened) stream.close();
    await cluster?.stop();
  });

  const urlOf = (api: number): string => cluster.apis[api]?.url ?? assert.fail();
  const stream = async (api: number, after?: string): Promise<OpenStream> => {
    const inbox = await openStream(`${urlOf(api)}/api/approvals/stream`, {
      token: await tokenOf('lea'),
      headers: after === undefined ? {} : { 'Last-Event-ID': after },
    });
    opened.push(inbox);
    return inbox;
  };
  const paused = async (): Promise<RunResponse> => {
    const { run } = await ada.ask(plan([['pay', { amount: 5 }]], 'Paid.'));
    assert.equal(run.status, 'PAUSED');
    return run;
  };
  const nameOf = (run: RunResponse): string => pendingOf(run)[0]?.callId ?? assert.fail();
  const said = (inbox: OpenStream, from = 0): readonly string[] =>
    inbox.frames
      .slice(from)
      .map(
        ({ event, data }) => `${event} ${(data as unknown as { data: WaitingCall }).data.callId}`,
      );
  const waited = async (): Promise<readonly string[]> => {
    const response = await fetch(`${urlOf(1)}/api/approvals?wait=20&limit=100`, {
      headers: { authorization: `Bearer ${await tokenOf('lea')}` },
    });
    const page = (await response.json()) as { readonly data: readonly WaitingCall[] };
    return page.data.map(({ callId }) => callId);
  };

  it('a reader of one gets at once of what comes and of what is decided at the other', async () => {
    let asked = waited();
    await sleep(ASKED_MS);
    const run = await paused();
    const pausedAt = Date.now();
    assert.deepEqual(await asked, [nameOf(run)]);
    assert.ok(Date.now() - pausedAt < AT_ONCE_MS, `${Date.now() - pausedAt} ms`);
    asked = waited();
    await sleep(ASKED_MS);
    const decidedAt = Date.now();
    await ada.decide(run, { action: 'REJECT' });
    assert.deepEqual(await asked, []);
    assert.ok(Date.now() - decidedAt < AT_ONCE_MS, `${Date.now() - decidedAt} ms`);
  });

  it('a stream at one says what happens at the other, and is resumed there after a kill -9 with nothing lost and nothing twice', async () => {
    const first = await paused();
    const there = await stream(1);
    await there.until(() => there.frames.length >= 1);
    const second = await paused();
    await there.until(() => there.frames.length >= 2);
    await ada.decide(first, { action: 'REJECT' });
    await there.until(() => there.frames.length >= 3);
    assert.deepEqual(said(there), [
      `WAITING ${nameOf(first)}`,
      `WAITING ${nameOf(second)}`,
      `DECIDED ${nameOf(first)}`,
    ]);
    await cluster.apis[1]?.kill9();
    await there.ended;
    const third = await paused();
    await ada.decide(second, { action: 'REJECT' });
    const here = await stream(0, there.frames.at(-1)?.id);
    await here.until(() => here.frames.length >= 2);
    const fourth = await paused();
    await here.until(() => here.frames.length >= 3);
    assert.deepEqual(said(here), [
      `WAITING ${nameOf(third)}`,
      `DECIDED ${nameOf(second)}`,
      `WAITING ${nameOf(fourth)}`,
    ]);
    const ids = [...there.frames, ...here.frames].map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
  });
});
