// What stops a run before its next model call, counted by the store: tokens and active time. Turns,
// calls and repeats are the workflow's to count.

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

export const timeOver = ({ agent }: TurnWork): Error =>
  endsRun(
    'BUDGET_EXCEEDED',
    `The run took longer than limits.timeoutMs (${agent.limits.timeoutMs} ms).`,
  );
