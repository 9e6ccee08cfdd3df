import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TemporalCli } from '../../src/dev/temporal-cli.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import type { Reply } from '../rig/scripted-model.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';
import { cliOfChild, historyOf, summariesOf, typesOf } from './history.ts';
import {
  callerOf,
  followPlan,
  openStage,
  pendingOf,
  plan,
  tokenOf,
  type Caller,
  type Stage,
} from './stage.ts';

describe('the main job, by a real `npm start`', function () {
  this.timeout(90_000);
  const dataDir = tempDir();
  let stage: Stage;
  let product: ProductProcess;
  let ada: Caller;
  let lea: Caller;
  let cli: TemporalCli;
  /** What the model says instead of its plan, once. */
  let instead: ((turn: number) => Reply | Promise<Reply>) | undefined;

  before(async () => {
    stage = await openStage((body, n) => (instead === undefined ? followPlan(body) : instead(n)));
    product = await startProduct({
      role: 'start',
      env: { ...stage.env, DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() },
    });
    ada = callerOf(product.url, await tokenOf('ada'));
    lea = callerOf(product.url, await tokenOf('lea'));
    cli = await cliOfChild(dataDir);
  });
  after(async () => {
    await product?.stop();
    await stage?.close();
  });
  const hanging = async (): Promise<{ asked: () => Promise<void>; gaveUp: () => boolean }> => {
    const before = stage.model.requests.length;
    instead = () => ({ text: 'half an answ', hang: 'mid' });
    return {
      asked: () => until('the model was asked', () => stage.model.requests.length > before),
      gaveUp: () => stage.model.requests[before]?.aborted === true,
    };
  };
  const closedAs = async (runId: string): Promise<string> => {
    const described = JSON.parse(
      await cli(['workflow', 'describe', '--workflow-id', runId, '-o', 'json']),
    ) as {
      workflowExecutionInfo: { status: string };
    };
    return described.workflowExecutionInfo.status.replace('WORKFLOW_EXECUTION_STATUS_', '');
  };

  it('a message is answered with the help of a tool, and the answer says what happened', async () => {
    const { status, headers, run } = await ada.ask(
      plan([['look', { note: 'NVDA' }]], 'It stands at **120**.'),
    );
    assert.equal(status, 200);
    assert.equal(headers.get('content-location'), `/api/agents/helper/runs/${run.runId}`);
    assert.deepEqual(
      [
        run.status,
        run.content,
        run.output,
        run.metadata.model,
        run.metadata.totalTokens,
        run.metadata.finishReason,
      ],
      ['COMPLETED', 'It stands at **120**.', 'It stands at **120**.', 'scripted', 30, 'stop'],
    );
    assert.deepEqual(
      run.tools.map(({ name, arguments: args, isError }) => ({ name, args, isError })),
      [{ name: 'look', args: { note: 'NVDA' }, isError: false }],
    );
    const mine = stage.sink.deliveries.filter((d) => d.headers['x-holdpoint-run'] === run.runId);
    assert.deepEqual(
      mine.map((d) => d.idempotencyKey),
      [`${run.runId}:${run.tools[0]?.callId}`],
    );
  });

  it('a run with two model turns and one tool has 20 events, and their summaries can be read', async () => {
    const { run } = await ada.ask(plan([['look', { note: 'NVDA' }]], 'Done.'));
    await until('the workflow has closed', async () => (await closedAs(run.runId)) === 'COMPLETED');
    const events = await historyOf(cli, run.runId);
    assert.equal(events.length, 20, typesOf(events).join('\n'));
    assert.deepEqual(summariesOf(events), [
      'helper · scripted',
      'turn 1 · scripted',
      'look NVDA',
      'turn 2 · scripted',
    ]);
  });

  it('a guarded call pauses the run, its approval runs it once, and the run goes on to its answer', async () => {
    const asked = await ada.ask(
      plan(
        [
          ['look', {}],
          ['pay', { amount: 5 }],
        ],
        'Paid.',
      ),
    );
    assert.deepEqual([asked.status, asked.run.status, asked.run.content], [200, 'PAUSED', '']);
    assert.deepEqual(
      pendingOf(asked.run).map((call) => [call.name, call.arguments, call.kind]),
      [['pay', { amount: 5 }, 'APPROVAL']],
    );
    assert.equal(stage.sink.deliveries.filter((d) => d.path === '/pay').length, 0);
    const { status, run } = await lea.decide(asked.run, { action: 'APPROVE' });
    assert.deepEqual(
      [status, run.runId, run.status, run.content],
      [200, asked.run.runId, 'COMPLETED', 'Paid.'],
    );
    assert.deepEqual(
      run.tools.map((t) => [t.name, t.isError, t.decision?.by]),
      [
        ['look', false, undefined],
        ['pay', false, ['lea']],
      ],
    );
    assert.equal(stage.sink.deliveries.filter((d) => d.path === '/pay').length, 1);
  });

  it('a rejected call is never run, the model learns who refused and why, and ends the run in its own words', async () => {
    const before = stage.sink.deliveries.length;
    const asked = await ada.ask(plan([['pay', { amount: 9 }]], 'Then not.'));
    const { run } = await lea.decide(asked.run, { action: 'REJECT', reason: 'too much' });
    assert.deepEqual([run.status, run.content], ['COMPLETED', 'Then not.']);
    assert.equal(stage.sink.deliveries.length, before);
    const told = stage.model.requests.at(-1)?.body.messages.at(-1);
    assert.deepEqual(
      [told?.role, told?.content],
      ['tool', 'This call was not run: lea rejected it: too much'],
    );
    assert.equal(run.tools[0]?.result, told?.content);
  });

  it('a running run is cancelled: the model call is given up, and Temporal shows it as Canceled', async () => {
    const model = await hanging();
    const runId = await ada.begin(plan('never said'));
    await model.asked();
    instead = undefined;
    assert.equal(await ada.cancel({ runId }), 204);
    assert.equal((await ada.read({ runId })).run.status, 'CANCELLED');
    await until('the model call was given up', model.gaveUp);
    await until('the workflow has closed', async () => (await closedAs(runId)) === 'CANCELED');
    assert.equal(await ada.cancel({ runId }), 204);
  });

  it('a paused run is cancelled: its call is never run, and a late approval is refused with that', async () => {
    const before = stage.sink.deliveries.length;
    const { run } = await ada.ask(plan([['pay', {}]], 'never said'));
    assert.equal(await ada.cancel(run), 204);
    const late = await lea.decide(run, { action: 'APPROVE' });
    assert.deepEqual([late.status, late.run.code], [409, 'NOT_PAUSED']);
    assert.match(String(late.run.detail), /CANCELLED/);
    await until('the workflow has closed', async () => (await closedAs(run.runId)) === 'CANCELED');
    assert.equal(stage.sink.deliveries.length, before);
  });

  it('a run queued behind another of its session is cancelled before it began, and never begins', async () => {
    const sessionId = randomUUID();
    const model = await hanging();
    const first = await ada.begin(plan('never said'), { sessionId });
    await model.asked();
    const second = await ada.begin(plan('not even asked'), { sessionId });
    const asked = stage.model.requests.length;
    assert.equal((await ada.read({ runId: second })).run.status, 'QUEUED');
    assert.equal(await ada.cancel({ runId: second }), 204);
    instead = undefined;
    assert.equal(await ada.cancel({ runId: first }), 204);
    const { run } = await ada.ask(plan('The third is answered.'), { sessionId });
    assert.deepEqual([run.status, run.content], ['COMPLETED', 'The third is answered.']);
    assert.equal((await ada.read({ runId: second })).run.status, 'CANCELLED');
    assert.equal(stage.model.requests.length, asked + 1);
  });

  it('the second run of a session sees the exchange before it, and no half of a cancelled one', async () => {
    const sessionId = randomUUID();
    const question = plan('One.');
    await ada.ask(question, { sessionId });
    const paused = await ada.ask(plan([['send', {}]], 'never said'), { sessionId });
    const refused = await ada.ask(plan('x'), { sessionId });
    assert.deepEqual([refused.status, refused.run.code], [409, 'SESSION_PAUSED']);
    await ada.cancel(paused.run);
    await ada.ask(plan('Two.'), { sessionId });
    assert.deepEqual(
      stage.model.requests.at(-1)?.body.messages.map((m) => [m.role, m.content]),
      [
        ['system', 'Follow the plan.'],
        ['user', question],
        ['assistant', 'One.'],
        ['user', plan('Two.')],
      ],
    );
  });

  it('killed with -9 in the middle of a model call and started again, the run completes and its tool ran once', async () => {
    const runId = await (async () => {
      let release = (): void => undefined;
      const toolRan = new Promise<void>((resolve) => (release = resolve));
      const asked = stage.model.requests.length;
      instead = (n) => {
        if (n === asked + 1) return { toolCalls: [{ name: 'note', args: { note: 'once' } }] };
        release();
        return { text: 'half an answ', hang: 'mid' };
      };
      const id = await ada.begin(plan([['note', { note: 'once' }]], 'Whole.'));
      await toolRan;
      return id;
    })();
    const joined = ada.read({ runId }, 60).catch(() => undefined);
    await product.kill9();
    instead = undefined;
    await product.start();
    await joined;
    const { run } = await ada.read({ runId }, 60);
    assert.deepEqual([run.status, run.content], ['COMPLETED', 'Whole.']);
    assert.equal(
      stage.sink.deliveries.filter((d) => d.headers['x-holdpoint-run'] === runId).length,
      1,
    );
  });

  it('SIGTERM answers those who wait, hands back what is under way and ends with 0; started again, everything goes on', async () => {
    const paused = (await ada.ask(plan([['pay', { amount: 1 }]], 'Paid later.'))).run;
    const model = await hanging();
    const waiting = ada.ask(plan('Said in the end.'));
    await model.asked();
    product.signal('SIGTERM');
    const answer = await waiting;
    assert.deepEqual([answer.status, answer.run.status], [202, 'RUNNING']);
    assert.equal(answer.headers.get('location'), `/api/agents/helper/runs/${answer.run.runId}`);
    assert.deepEqual(await product.exited(), { code: 0, signal: null });
    instead = undefined;
    await product.start();
    assert.equal((await ada.read(answer.run, 60)).run.content, 'Said in the end.');
    const { run } = await lea.decide(paused, { action: 'APPROVE' });
    assert.deepEqual([run.status, run.content], ['COMPLETED', 'Paid later.']);
  });
});
