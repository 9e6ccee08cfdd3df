// Writes PAUSED and terminal states for the workflow, and returns the state in force.

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
  pageUrl,
}: {
  readonly store: Store;
  readonly onReleased: () => void;
  readonly operatorDecisions: OperatorDecisions;
  /** Of the console; undefined where this process does not know it. */
  readonly pageUrl?: string | undefined;
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
        withLink(settled, runId, pageUrl) ?? {
          status: 'FAILED',
          failure: { code: 'INTERNAL', message: 'The record of this run is gone.' },
        }
      );
    } catch (error) {
      throw failureOf(error);
    }
  };
}

/** What an operator is shown of a pause leads to its page. */
function withLink(
  settled: Settled | undefined,
  runId: string,
  pageUrl: string | undefined,
): Settled | undefined {
  if (settled?.pause === undefined || pageUrl === undefined) return settled;
  const link = `[This run in the console](${pageUrl}/#/runs/${runId})`;
  const pause = { ...settled.pause, waiting: `${settled.pause.waiting}\n\n${link}` };
  return { ...settled, pause };
}
