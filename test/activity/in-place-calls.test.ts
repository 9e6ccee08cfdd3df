import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { createInPlaceCalls } from '../../src/activities/in-place-calls.ts';
import type { RunTool } from '../../src/activities/run-tool.ts';
import type { CallInPlace, CallOutcome } from '../../src/contract/turn.ts';
import { quietly } from './quietly.ts';

describe('a call within the workflow’s task', () => {
  const request = { runId: 'run_1', callId: 'call_1' };
  const done: CallOutcome = { kind: 'DONE', resultDigest: 'd' };

  /** A tool that ends when it is told to, and what was asked of it. */
  function scripted() {
    const asked: { readonly inPlace: boolean; readonly stop: AbortSignal | undefined }[] = [];
    let finish: (outcome: CallOutcome) => void = () => undefined;
    let fail: (error: Error) => void = () => undefined;
    const outcome = new Promise<CallOutcome>((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
    outcome.catch(() => undefined);
    const runTool: RunTool = ({ inPlace = false }, stop) => {
      asked.push({ inPlace, stop });
      return outcome;
    };
    return { asked, finish, fail, calls: createInPlaceCalls(runTool) };
  }
  const inPlace = (calls: ReturnType<typeof createInPlaceCalls>): Promise<CallInPlace> =>
    quietly().run(calls.runToolInPlace, request);
  const regular = (
    calls: ReturnType<typeof createInPlaceCalls>,
    worker = quietly(),
  ): Promise<CallOutcome> => worker.run(calls.runTool, request);

  it('is answered there when it is quick', async () => {
    const { calls, finish, asked } = scripted();
    finish(done);
    assert.deepEqual(await inPlace(calls), done);
    assert.deepEqual(
      asked.map((call) => call.inPlace),
      [true],
    );
  });

  it('goes on under the regular activity when it is not, without being made again', async () => {
    const { calls, finish, asked } = scripted();
    assert.deepEqual(await inPlace(calls), { kind: 'NOT_YET', afterMs: 0 });
    const waiting = regular(calls);
    finish(done);
    assert.deepEqual(await waiting, done);
    assert.equal(asked.length, 1);
  });

  it('is made by the regular activity when that comes to another worker, or too late', async () => {
    const { calls, finish, asked } = scripted();
    finish(done);
    await inPlace(calls);
    await regular(calls);
    assert.deepEqual(
      asked.map((call) => call.inPlace),
      [true, false],
    );
  });

  it('that has to be tried again is left to the regular activity, after a while', async () => {
    const { calls, fail } = scripted();
    fail(ApplicationFailure.create({ type: 'TRIED_AGAIN', message: 'no answer' }));
    assert.deepEqual(await inPlace(calls), { kind: 'NOT_YET', afterMs: 1000 });
  });

  it('that ends the run ends it', async () => {
    const { calls, fail } = scripted();
    fail(ApplicationFailure.nonRetryable('too long', 'BUDGET_EXCEEDED'));
    await assert.rejects(inPlace(calls), { type: 'BUDGET_EXCEEDED' });
  });

  it('is stopped by the cancellation of the activity that waits for it', async () => {
    const { calls, finish, asked } = scripted();
    await inPlace(calls);
    const worker = quietly();
    const waiting = regular(calls, worker);
    worker.cancel();
    assert.equal(asked[0]?.stop?.aborted, true);
    finish(done);
    assert.deepEqual(await waiting, done);
  });
});
