import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { sql } from 'kysely';
import { createCallModel, type CallModelRequest } from '../../src/activities/call-model.ts';
import {
  ModelError,
  type Model,
  type ModelReply,
  type ModelRequest,
} from '../../src/models/model.ts';
import type { TurnReply } from '../../src/contract/turn.ts';
import { quietly } from './quietly.ts';
import { activeMsOf, agent, drive, openBench, type Bench } from '../store/fixture.ts';

const answer = (text: string): ModelReply => ({
  text,
  reasoning: '',
  toolCalls: [],
  finishReason: 'stop',
  model: 'm',
  usage: { promptTokens: 7, completionTokens: 3 },
});

const failedAs = (type: string, nonRetryable: boolean) => (error: unknown) =>
  error instanceof ApplicationFailure &&
  error.type === type &&
  (error.nonRetryable ?? false) === nonRetryable;

describe('the activity callModel', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  /** Runs one attempt with a model that does what `stream` says. */
  const attempt = (stream: Model['stream'], runId: string, turn = 1): Promise<TurnReply> => {
    const callModel = createCallModel({ store: bench.store, model: { stream } });
    return quietly().run<[CallModelRequest], TurnReply, typeof callModel>(callModel, {
      runId,
      turn,
    });
  };

  it('a repeated attempt finds its own reply and asks the model no more', async () => {
    const run = await drive(bench.store).start();
    let asked = 0;
    const stream: Model['stream'] = async () => (asked++, answer('Hello'));
    assert.deepEqual(await attempt(stream, run.runId), { kind: 'ANSWER', model: 'm' });
    assert.deepEqual(await attempt(stream, run.runId), { kind: 'ANSWER', model: 'm' });
    assert.equal(asked, 1);
  });

  it("the model's third fault ends the run, the ones before are retried by Temporal, after the wait that was asked for", async () => {
    const run = await drive(bench.store).start();
    const down: Model['stream'] = async () => {
      throw new ModelError('RATE_LIMITED', 'The model is busy.', {
        retryable: true,
        retryAfterMs: 1500,
      });
    };
    for (let i = 1; i <= 2; i++)
      await assert.rejects(
        attempt(down, run.runId),
        (error) =>
          failedAs('TRIED_AGAIN', false)(error) &&
          (error as ApplicationFailure).nextRetryDelay === 1500,
      );
    await assert.rejects(attempt(down, run.runId), failedAs('MODEL_RATE_LIMITED', true));
  });

  it('a model that is away is waited for: the record says since when and why, asking in vain is no active time, and the reply ends it', async () => {
    const run = await drive(bench.store).start();
    const problem = new ModelError('UNAVAILABLE', 'The model is away.');
    let away = true;
    const stream: Model['stream'] = async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (away) throw problem;
      return answer('Back');
    };
    const callModel = createCallModel({
      store: bench.store,
      model: { stream },
      modelPatienceMs: 60_000,
    });
    const asked = (whenAway?: 'tell'): Promise<TurnReply> =>
      quietly().run<[CallModelRequest], TurnReply, typeof callModel>(callModel, {
        runId: run.runId,
        turn: 1,
        whenAway,
      });
    const activeMs = (): Promise<number> => bench.store.asWorker((tx) => activeMsOf(tx, run.runId));
    for (let i = 1; i <= 2; i++)
      await assert.rejects(asked('tell'), failedAs('TRIED_AGAIN', false));
    const told = await asked('tell');
    assert.ok(told.kind === 'AWAY');
    assert.equal(told.waitingFor.lastProblem, 'The model is away.');
    const active = await activeMs();
    for (let i = 1; i <= 3; i++) await assert.rejects(asked(), failedAs('TRIED_AGAIN', false));
    assert.equal(await activeMs(), active, 'waiting is not being active');
    const record = await drive(bench.store).read(run);
    assert.equal(record.status, 'RUNNING');
    assert.equal(record.waiting?.since, told.waitingFor.since);
    away = false;
    assert.deepEqual(await asked(), { kind: 'ANSWER', model: 'm' });
    assert.equal((await drive(bench.store).read(run)).waiting, null);
    assert.ok((await activeMs()) > active);
    const { rows } = await sql<{ kind: string }>`select kind from events
      where run_id = ${run.runId} order by seq`.execute(bench.db.kysely);
    assert.deepEqual(
      rows.map((row) => row.kind).filter((kind) => kind !== 'ATTEMPT'),
      ['START', 'RETRY', 'RETRY', 'WAITING'],
      'told once; who reads along is not told at each attempt to drop nothing',
    );
  });

  it('a run that was cancelled while its model was asked in vain waits for nothing', async () => {
    const s = drive(bench.store);
    const run = await s.start();
    const callModel = createCallModel({
      store: bench.store,
      modelPatienceMs: 60_000,
      model: {
        stream: async () => {
          await s.cancel(run);
          throw new ModelError('UNAVAILABLE', 'The model is away.');
        },
      },
    });
    const first = quietly().run<[CallModelRequest], TurnReply, typeof callModel>(callModel, {
      runId: run.runId,
      turn: 1,
    });
    await assert.rejects(first);
    const record = await s.read(run);
    assert.equal(record.status, 'CANCELLED');
    assert.equal(record.waiting, null);
  });

  it('a model that is down gives way to the fallback after three faults of its own', async () => {
    const run = await drive(bench.store).start({ agent: agent({ fallbackModels: ['spare'] }) });
    const asked: string[] = [];
    const stream: Model['stream'] = async ({ model }: ModelRequest) => {
      asked.push(model);
      if (model === 'm')
        throw new ModelError('UNAVAILABLE', 'The model does not answer.', { retryable: true });
      return { ...answer('From the spare one'), model };
    };
    for (let i = 1; i <= 3; i++)
      await assert.rejects(attempt(stream, run.runId), failedAs('TRIED_AGAIN', false));
    assert.deepEqual(await attempt(stream, run.runId), { kind: 'ANSWER', model: 'spare' });
    assert.deepEqual(asked, ['m', 'm', 'm', 'spare']);
  });

  it('a used-up quota gives way to the fallback at once, and ends the run where there is none', async () => {
    const stream: Model['stream'] = async ({ model }: ModelRequest) => {
      if (model === 'm') throw new ModelError('QUOTA_EXHAUSTED', 'Its quota is used up.');
      return { ...answer('From the spare one'), model };
    };
    const run = await drive(bench.store).start({ agent: agent({ fallbackModels: ['spare'] }) });
    await assert.rejects(attempt(stream, run.runId), failedAs('TRIED_AGAIN', false));
    assert.deepEqual(await attempt(stream, run.runId), { kind: 'ANSWER', model: 'spare' });
    const alone = await drive(bench.store).start();
    await assert.rejects(attempt(stream, alone.runId), failedAs('MODEL_RATE_LIMITED', true));
  });

  it('what came of a turn goes back with it in the next one, under the name that was asked', async () => {
    const run = await drive(bench.store).start();
    const fields = { reasoning_content: 'hm' };
    await attempt(
      async () => ({
        ...answer(''),
        finishReason: 'tool_calls',
        model: 'demo',
        fields,
        toolCalls: [{ id: 'theirs', name: 'look', argumentsText: '{', fields: { extra: 1 } }],
      }),
      run.runId,
    );
    const asked: ModelRequest[] = [];
    await attempt(async (request) => (asked.push(request), answer('Done')), run.runId, 2);
    const turn = asked[0]?.messages.find((message) => message.role === 'assistant');
    assert.deepEqual(turn?.role === 'assistant' && turn.cameAs, {
      model: 'm',
      fields,
      calls: [{ id: 'theirs', fields: { extra: 1 } }],
    });
  });

  it('a fault that no repetition mends ends the run at once', async () => {
    const run = await drive(bench.store).start();
    const refused: Model['stream'] = async () => {
      throw new ModelError('CONTEXT_TOO_LONG', 'The conversation is too long for the model.', {
        retryable: false,
      });
    };
    await assert.rejects(attempt(refused, run.runId), failedAs('CONTEXT_TOO_LONG', true));
  });

  it('tokens that were used up stop the run before the model is asked', async () => {
    const run = await drive(bench.store).start({
      agent: agent({ limits: { ...agent().limits, maxTotalTokens: 11 } }),
    });
    const [callId = ''] = await drive(bench.store).asks(run, 1, ['look']);
    const { n } = await drive(bench.store).goesOut(run, callId);
    await drive(bench.store).record(run, callId, n);
    let asked = 0;
    await assert.rejects(
      attempt(async () => (asked++, answer('x')), run.runId, 2),
      failedAs('BUDGET_EXCEEDED', true),
    );
    assert.equal(asked, 0);
  });

  it("a run cancelled through the API aborts the model call within milliseconds, by the run's own watch", async () => {
    const s = drive(bench.store);
    const run = await s.start();
    let aborted: (() => void) | undefined;
    const closed = new Promise<void>((resolve) => (aborted = resolve));
    const hanging: Model['stream'] = (_request, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted?.();
          reject(new ModelError('ABORTED', 'The model call was stopped.'));
        });
        void s.cancel(run);
      });
    await assert.rejects(attempt(hanging, run.runId), failedAs('TRIED_AGAIN', false));
    await closed;
    assert.deepEqual(await attempt(hanging, run.runId), { kind: 'ENDED', status: 'CANCELLED' });
  });

  it('arguments that do not fit are answered with a tool error, and no text goes to the workflow', async () => {
    const run = await drive(bench.store).start();
    const call = (name: string, argumentsText: string) => ({ id: 'same', name, argumentsText });
    const stream: Model['stream'] = async () => ({
      ...answer(''),
      finishReason: 'tool_calls',
      toolCalls: [
        call('look', '{"x": '),
        call('nothing_of_ours', '{}'),
        call('send', '{"secret":"CANARY-81"}'),
      ],
    });
    const reply = await attempt(stream, run.runId);
    assert.ok(reply.kind === 'CALLS');
    assert.deepEqual(
      reply.calls.map((c) => [c.refused !== undefined, c.approval]),
      [
        [true, 'never'],
        [true, 'never'],
        [false, 'required'],
      ],
    );
    assert.equal(
      new Set(reply.calls.map((c) => c.callId)).size,
      3,
      'ids of our own, though the provider repeats its',
    );
  });

  it('ten thousand calls in one reply end the run: nothing of them is stored, the tokens are counted, the model is not asked again', async () => {
    const run = await drive(bench.store).start();
    const toolCalls = Array.from({ length: 10_000 }, () => ({
      id: 'x',
      name: 'look',
      argumentsText: '{}',
    }));
    const stream: Model['stream'] = async () => ({ ...answer(''), toolCalls });
    await assert.rejects(attempt(stream, run.runId), failedAs('BUDGET_EXCEEDED', true));
    const record = await drive(bench.store).read(run);
    assert.deepEqual([record.calls.length, record.promptTokens], [0, 7]);
  });

  it('a stored reply is not gone on with once the time is over', async () => {
    const run = await drive(bench.store).start({
      agent: agent({ limits: { ...agent().limits, timeoutMs: 1 } }),
    });
    const slowly: Model['stream'] = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return answer('Late');
    };
    await attempt(slowly, run.runId);
    await assert.rejects(attempt(slowly, run.runId), failedAs('BUDGET_EXCEEDED', true));
  });
});
