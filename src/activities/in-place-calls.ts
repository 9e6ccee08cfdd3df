// Calls of tools that may be repeated and wait for no person are begun within the workflow's own
// task, as local activities: most are over in milliseconds, and a regular activity costs Temporal
// six events and a hop each way. One that takes longer is handed over: it goes on in this process,
// and the regular activity that follows waits for it here, or looks after it from another worker.

import { ApplicationFailure, Context } from '@temporalio/activity';
import type { CallInPlace, CallOutcome } from '../contract/turn.ts';
import { withDeadline } from '../deadline.ts';
import { HEARTBEAT_EVERY_MS } from './heartbeat.ts';
import type { RunTool, RunToolRequest } from './run-tool.ts';

/** Signals and cancels of the run wait behind a local activity, and it holds a task's slot. */
const HAND_OVER_AFTER_MS = 500;
/** As the policy of the regular activity would wait before its second attempt. */
const AGAIN_AFTER_MS = 1000;

interface UnderWay {
  readonly outcome: Promise<CallOutcome>;
  readonly stop: () => void;
}

export function createInPlaceCalls(runTool: RunTool) {
  const underWay = new Map<string, UnderWay>();

  function begin(request: RunToolRequest): UnderWay {
    const stopping = new AbortController();
    const begun = {
      outcome: runTool({ ...request, inPlace: true }, stopping.signal),
      stop: () => stopping.abort(),
    };
    underWay.set(request.callId, begun);
    const forget = (): unknown => underWay.delete(request.callId);
    begun.outcome.then(forget, forget);
    return begun;
  }

  return {
    /** Fails with what ends the run only. */
    runToolInPlace: async (request: RunToolRequest): Promise<CallInPlace> => {
      try {
        return await withDeadline(begin(request).outcome, HAND_OVER_AFTER_MS, () => ({
          kind: 'NOT_YET',
          afterMs: 0,
        }));
      } catch (error) {
        if (error instanceof ApplicationFailure && error.nonRetryable === true) throw error;
        return { kind: 'NOT_YET', afterMs: AGAIN_AFTER_MS };
      }
    },
    runTool: async (request: RunToolRequest): Promise<CallOutcome> => {
      const begun = underWay.get(request.callId);
      if (begun === undefined) return runTool(request);
      const { heartbeat, cancellationSignal } = Context.current();
      const beat = setInterval(() => heartbeat(), HEARTBEAT_EVERY_MS);
      cancellationSignal.addEventListener('abort', begun.stop, { once: true });
      try {
        return await begun.outcome;
      } finally {
        clearInterval(beat);
        cancellationSignal.removeEventListener('abort', begun.stop);
      }
    },
  };
}
