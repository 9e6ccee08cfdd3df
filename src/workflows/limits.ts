// What stops a run before its next call, counted from data the workflow has: turns, calls, repeats.
// Tokens and active time are the store's to count. No SDK: replayed code.

import type { RunFailure } from '../contract/names.ts';
import type { AnnotatedCall, RunLimits, TakenUp } from '../contract/turn.ts';

const exceeded = (message: string): RunFailure => ({ code: 'BUDGET_EXCEEDED', message });

export const maxTurnsProblem = (limits: RunLimits, turn: number): RunFailure | undefined =>
  turn > limits.maxTurns
    ? exceeded(
        `The run was stopped before model call ${turn}: limits.maxTurns is ${limits.maxTurns}.`,
      )
    : undefined;

export interface Budget {
  /**
   * Before the calls of a turn are run. All of them count, also those that are answered with a tool
   * error.
   */
  readonly take: (calls: readonly AnnotatedCall[]) => RunFailure | undefined;
  /** After a pause: has one tool been rejected too often? */
  readonly rejected: (calls: readonly AnnotatedCall[]) => RunFailure | undefined;
  /** After they were run: is the run going round in circles? */
  readonly saw: (
    calls: readonly AnnotatedCall[],
    digests: ReadonlyMap<string, string>,
  ) => RunFailure | undefined;
}

/** `before`: what an earlier execution of the run has used. */
export function createBudget(
  limits: RunLimits,
  before: Pick<TakenUp, 'toolCalls' | 'rejections'> = { toolCalls: 0, rejections: {} },
): Budget {
  let taken = before.toolCalls;
  let last = '';
  let repeats = 0;
  const rejections = new Map<string, number>(Object.entries(before.rejections));
  return {
    take: (calls) => {
      taken += calls.length;
      if (taken <= limits.maxToolCalls) return undefined;
      return exceeded(
        `The run was stopped before its next tool call: limits.maxToolCalls is ${limits.maxToolCalls}.`,
      );
    },
    rejected: (calls) => {
      const most = limits.maxRejections;
      if (most === undefined) return undefined;
      for (const { tool } of calls) {
        const n = (rejections.get(tool) ?? 0) + 1;
        rejections.set(tool, n);
        if (n > most)
          return exceeded(
            `The run was stopped: ${n} calls of ${tool} were rejected, limits.maxRejections is ${most}.`,
          );
      }
      return undefined;
    },
    saw: (calls, digests) => {
      for (const call of calls) {
        // A call without a result of its own (rejected, left) is an answer by a person, not a loop
        // of the model's.
        const digest = digests.get(call.callId);
        const now = digest === undefined ? '' : `${call.fingerprint} ${digest}`;
        repeats = now !== '' && now === last ? repeats + 1 : 1;
        last = now;
        if (now !== '' && repeats >= limits.maxRepeats)
          return exceeded(
            `The run was stopped: it made the same call ${repeats} times in a row with the same result (limits.maxRepeats).`,
          );
      }
      return undefined;
    },
  };
}
