// The steps of a run that are one transaction: settling it, and claiming a decision. Each is a local
// activity once, and a regular activity until it succeeds. Replayed code.

import { isCancellation, log, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type {
  AgentRunInput,
  PauseName,
  PauseState,
  Settled,
  Settlement,
} from '../contract/turn.ts';
import type { ReceivedSignal } from './approvals.ts';
import { untilAnswered } from './by-hand.ts';
import { transactionLocally, transactionUntilDone } from './policies.ts';

const locally = proxyLocalActivities<Activities>(transactionLocally);
const untilDone = proxyActivities<Activities>(transactionUntilDone);

export async function settleRun(
  { runId, takenUp }: AgentRunInput,
  settlement: Settlement,
): Promise<Settled> {
  const request = {
    runId,
    settlement,
    ...(takenUp === undefined ? {} : { execution: takenUp.execution }),
  };
  return inStore(
    () => locally.settleRun(request),
    () => untilAnswered('status', () => untilDone.settleRun(request)),
  );
}

export async function claimDecision(
  runId: string,
  pause: PauseName,
  signals: readonly ReceivedSignal[],
): Promise<PauseState> {
  const request = { runId, pause, signals };
  return inStore(
    () => locally.claimDecision(request),
    () => untilAnswered('kind', () => untilDone.claimDecision(request)),
  );
}

/** Once as a local activity; where that does not succeed, as a regular one without end. */
async function inStore<T>(once: () => Promise<T>, always: () => Promise<T>): Promise<T> {
  try {
    return await once();
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.info('the store does not answer in time, going on trying outside the workflow task');
    return always();
  }
}
