// What stops a run at a model call, counted by the store: tokens and active time. Turns, calls and
// repeats are the workflow's to count; a reply with more calls than any run may make does not get
// there.

import type { AgentSnapshot } from '../contract/agent.ts';
import type { TurnWork } from '../store/turns/turns.ts';
import { endsRun } from './failures.ts';

export function budgetProblem(work: TurnWork): Error | undefined {
  const { limits } = work.agent;
  if (work.tokens >= limits.maxTotalTokens)
    return endsRun(
      'BUDGET_EXCEEDED',
      `The run was stopped before its next model call: it has used ${work.tokens} tokens, limits.maxTotalTokens is ${limits.maxTotalTokens}.`,
    );
  if (work.activeMs >= limits.timeoutMs) return timeOver(work);
  return undefined;
}

/**
 * Thousands of calls would be stored, checked and returned to the workflow only to be refused there.
 */
export function tooManyCalls(agent: AgentSnapshot, calls: number): Error | undefined {
  const { maxToolCalls } = agent.limits;
  return calls <= maxToolCalls
    ? undefined
    : endsRun(
        'BUDGET_EXCEEDED',
        `The run was stopped before its next tool call: the model asked for ${calls} at once, limits.maxToolCalls is ${maxToolCalls}.`,
      );
}

export const timeOver = ({ agent }: { readonly agent: AgentSnapshot }): Error =>
  endsRun(
    'BUDGET_EXCEEDED',
    `The run took longer than limits.timeoutMs (${agent.limits.timeoutMs} ms).`,
  );
