// Writes PAUSED and terminal states for the workflow, and returns the state that stands.

import type { Settled, Settlement } from '../contract/turn.ts';
import type { OperatorDecisions } from '../store/calls/vote-policy.ts';
import type { Store } from '../store/database/access.ts';
import { settle } from '../store/runs/settle.ts';
import { failureOf } from './failures.ts';

export interface SettleRunRequest {
  readonly runId: string;
  readonly settlement: Settlement;
  /** Absent: the run's first one. */
  readonly execution?: number;
}

export function createSettleRun({
  store,
  onReleased,
  operatorDecisions,
}: {
  readonly store: Store;
  readonly onReleased: () => void;
  readonly operatorDecisions: OperatorDecisions;
}) {
  return async function settleRun({
    runId,
    settlement,
    execution = 1,
  }: SettleRunRequest): Promise<Settled> {
    try {
      let released = false;
      const settled = await store.asWorker((tx) =>
        settle(tx, runId, settlement, 'holdpoint', {
          execution,
          onReleased: () => (released = true),
          operators: operatorDecisions,
        }),
      );
      if (released) onReleased();
      return (
        settled ?? {
          status: 'FAILED',
          failure: { code: 'INTERNAL', message: 'The record of this run is gone.' },
        }
      );
    } catch (error) {
      throw failureOf(error);
    }
  };
}
