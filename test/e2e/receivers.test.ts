// Receivers that are asked what became of a call whose answer was lost: one that knows, and those
// that are down, slow, lie or contradict themselves. By a real `npm start`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { serve } from '../rig/http-server.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { callerOf, openStage, pendingOf, plan, tokenOf, type Caller, type Stage } from './stage.ts';

const says = (outcome: string, result?: unknown) => (response: ServerResponse) =>
  void response.end(JSON.stringify({ outcome, result }));

/** By the call's note: what it answers when it is asked for the n-th time about a call. */
const ANSWERS: Readonly<Record<string, (response: ServerResponse, n: number) => void>> = {
  knows: says('done', 'receipt 1'),
  'never saw it': says('not_done'),
  'does not know': says('unknown'),
  'is down': (response) => void response.socket?.destroy(),
  'is broken': (response) => void response.writeHead(503).end('{"outcome":"done"}'),
  'is silent': () => undefined,
  'drips without an end': (response) => {
    response.writeHead(200).write('{"outcome":"done"');
    const drip = setInterval(() => response.write(' '), 300);
    response.once('close', () => clearInterval(drip));
  },
  'says two things': (response) => void response.end('{"outcome":"not_done","outcome":"done"}'),
  'says not done, with a receipt': says('not_done', 'receipt 1'),
  'says not done, then done': (response, n) =>
    (n === 1 ? says('not_done') : says('done', 'late'))(response),
};

describe('receivers that are asked what became of a call, by a real `npm start`', function () {
  this.timeout(120_000);
  let stage: Stage;
  let receiver: Awaited<ReturnType<typeof serve>>;
  let product: ProductProcess;
  let ada: Caller;
  const askedAbout = new Map<string, number>();
  before(async () => {
    receiver = await serve(async (request, response) => {
      const url = new URL(request.url ?? '/', 'http://receiver');
      const n = (askedAbout.get(url.pathname) ?? 0) + 1;
      askedAbout.set(url.pathname, n);
      ANSWERS[url.searchParams.get('note') ?? '']?.(response, n);
      await once(response, 'close');
    });
    stage = await openStage();
    writeFileSync(
      join(stage.agentsDir, 'asking.yaml'),
      `id: asking
name: asking
description: Its receiver can be asked.
model: scripted
instructions: Follow the plan.
tools:
  - name: pay
    description: Pays.
    approval: never
    input:
      type: object
      properties: { mode: { type: string }, note: { type: string } }
      required: [mode, note]
      additionalProperties: false
    http: { method: POST, url: "${stage.sink.url}/pay" }
    reconcile: { url: "http://127.0.0.1:${receiver.port}/{idempotencyKey}?note={note}" }
`,
    );
    product = await startProduct({
      role: 'start',
      env: { ...stage.env, DATA_DIR: tempDir(), TEMPORAL_CLI: await temporalCliPath() },
    });
    ada = callerOf(product.url, await tokenOf('ada'));
  });
  after(async () => {
    await product?.stop();
    await receiver?.close();
    await stage?.close();
  });

  const paid = (note: string) =>
    stage.sink.deliveries.filter((delivery) => delivery.args['note'] === note);
  const runWith = async (note: string) => {
    const message = plan([['pay', { mode: 'drop', note }]], 'Paid.');
    return (await ada.ask(message, { agent: 'asking' })).run;
  };

  it('one that knows settles it: nobody is asked, and it is sent once', async () => {
    const run = await runWith('knows');
    assert.equal(run.status, 'COMPLETED', JSON.stringify(run));
    assert.deepEqual([run.tools[0]?.result, run.tools[0]?.isError], ['receipt 1', false]);
    assert.equal(paid('knows').length, 1);
  });

  it('one that says not done is believed twice, and then a person is asked', async () => {
    const run = await runWith('never saw it');
    assert.equal(pendingOf(run)[0]?.kind, 'OUTCOME_UNKNOWN', JSON.stringify(run));
    const sent = paid('never saw it');
    assert.equal(sent.length, 3);
    assert.equal(new Set(sent.map((one) => one.idempotencyKey)).size, 1);
  });

  it('one that says not done and then done settles it by its last word', async () => {
    const run = await runWith('says not done, then done');
    assert.equal(run.status, 'COMPLETED', JSON.stringify(run));
    assert.equal(paid('says not done, then done').length, 2);
  });

  it('all others leave it to a person within seconds, who reads what they said', async () => {
    const notes = Object.keys(ANSWERS).filter(
      (note) => !['knows', 'never saw it', 'says not done, then done'].includes(note),
    );
    await Promise.all(
      notes.map(async (note) => {
        const began = performance.now();
        const run = await runWith(note);
        const [call] = pendingOf(run);
        assert.equal(call?.kind, 'OUTCOME_UNKNOWN', `${note}: ${JSON.stringify(run)}`);
        assert.match(call.evidence ?? '', /its receiver was asked/, note);
        assert.equal(paid(note).length, 1, note);
        assert.ok(performance.now() - began < 45_000, note);
      }),
    );
  });
});
