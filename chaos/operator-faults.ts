// What an operator does to one run at Temporal: resets its workflow, of an open run or of one that
// has ended, or terminates it.

import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminal } from './clients.ts';
import type { History, Op } from './history.ts';
import { did, not, TRAFFIC_MS, type Injected } from './injected.ts';
import type { Operator } from './operator.ts';

const isOpen = (op: Op): boolean => op.ackedAt !== undefined && !isTerminal(op.status);

export type OperatorFault = 'reset-first' | 'reset-last' | 'reset-ended' | 'terminate';

export function createByOperator(
  operator: Operator,
  history: History,
): (fault: OperatorFault) => Promise<Injected> {
  async function act(fault: OperatorFault, runId: string, op: Op): Promise<void> {
    if (fault !== 'terminate')
      return operator.reset(
        runId,
        fault === 'reset-first' ? 'FirstWorkflowTask' : 'LastWorkflowTask',
      );
    op.terminated = true;
    return operator.terminate(runId);
  }
  /** On the youngest run that fits, as soon as there is one. */
  return async (fault) => {
    const fits = fault === 'reset-ended' ? (op: Op) => isTerminal(op.status) : isOpen;
    for (const end = Date.now() + TRAFFIC_MS; Date.now() < end; await sleep(100)) {
      const op = history.ops.findLast((one) => one.runIds.size > 0 && fits(one));
      const [runId] = op?.runIds ?? [];
      if (op === undefined || runId === undefined) continue;
      const done = await act(fault, runId, op).then(
        () => true,
        () => false,
      );
      if (done) return did(`${runId}, of ${op.kind}, ${op.status ?? 'just begun'}`);
    }
    return not('no run was there for it');
  };
}
