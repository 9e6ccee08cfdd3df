// Which open runs have not moved for a while, and why, as far as the record says. Pure.

import type { RunResponse } from '../contract/run.ts';

const minutes = (ms: number): string => `${Math.floor(ms / 60_000)} min`;

/** A sentence for a run that has not moved for `afterMs`; undefined: it moves, or it has ended. */
export function whyStuck(run: RunResponse, nowMs: number, afterMs: number): string | undefined {
  const still = nowMs - Date.parse(run.updatedAt);
  if (still < afterMs) return undefined;
  if (run.heldBy !== undefined)
    return `held by an operator for ${minutes(still)}: unpause its workflow in Temporal`;
  switch (run.status) {
    case 'PAUSED': {
      const calls = run.pending ?? [];
      const unknown = calls.filter((call) => call.kind === 'OUTCOME_UNKNOWN').length;
      const who = [
        ...new Set(calls.flatMap((call) => call.approvers ?? ['anyone who may approve'])),
      ];
      return `waits for people for ${minutes(still)} (${calls.map(({ name }) => name).join(', ')}; ${who.join(', ')})${unknown > 0 ? ': it is not known whether a call happened; look at the receiver’s own record' : ''}`;
    }
    case 'QUEUED':
      return `queued for ${minutes(still)}: an earlier run of its session is open, or no worker takes runs`;
    case 'RUNNING':
      return run.waitingFor === undefined
        ? `running without news for ${minutes(still)}: see its workflow’s pending activities in Temporal`
        : `waits for its model since ${run.waitingFor.since}: ${run.waitingFor.lastProblem}`;
    case 'COMPLETED':
    case 'FAILED':
    case 'CANCELLED':
      return undefined;
  }
}
