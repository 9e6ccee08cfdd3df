// Takes lines of the outbox, a batch a transaction, and sends them until nothing is left. What was
// sent is acknowledged by the transaction that takes the next.

import { randomUUID } from 'node:crypto';
import type { Store } from '../store/database/access.ts';
import {
  acknowledgeLeases,
  acknowledgeOutboxLines,
  leaseOutboxLines,
  returnOutboxLines,
  type OutboxLine,
} from '../store/outbox.ts';
import type { SendLine } from './send-line.ts';
import type { SentLeases } from './sent-leases.ts';

export interface OutboxRounds {
  /**
   * Of one run, or (null) of any. `onTaken` after each batch that Temporal has taken whole; false
   * where something was not taken.
   */
  readonly sendAll: (runId: string | null, onTaken?: () => void) => Promise<boolean>;
  /** What was not begun is left to other processes; lines of a run that are asked for are sent. */
  readonly stop: () => void;
}

const LINES_AT_ONCE = 50;

const idsOf = (lines: readonly OutboxLine[]): readonly number[] => lines.map((line) => line.id);

export function createOutboxRounds(
  store: Store,
  sendLine: SendLine,
  sent: SentLeases,
): OutboxRounds {
  /** Leases whose reply was lost: no other process takes their lines before they end. */
  const lostLeases: string[] = [];
  let stopped = false;

  async function take(
    runId: string | null,
    taken: readonly OutboxLine[],
  ): Promise<readonly OutboxLine[]> {
    const lease = (runId === null ? lostLeases.pop() : undefined) ?? randomUUID();
    const leases = sent.held();
    try {
      const lines = await store.asReconciler(async (tx) => {
        if (taken.length > 0) await acknowledgeOutboxLines(tx, idsOf(taken));
        // A later line of one of these runs is leased only once they are acknowledged.
        if (leases.length > 0) await acknowledgeLeases(tx, leases);
        return stopped && runId === null ? [] : leaseOutboxLines(tx, runId, LINES_AT_ONCE, lease);
      });
      sent.drop(leases);
      return lines;
    } catch (error) {
      lostLeases.push(lease);
      throw error;
    }
  }

  return {
    sendAll: async (runId, onTaken) => {
      let taken: readonly OutboxLine[] = [];
      for (;;) {
        const lines = await take(runId, taken);
        if (lines.length === 0) return true;
        const results = await Promise.all(lines.map(sendLine));
        taken = lines.filter((_, i) => results[i] === true);
        const left = lines.filter((_, i) => results[i] === false);
        if (left.length === 0) {
          onTaken?.();
          continue;
        }
        await store.asReconciler(async (tx) => {
          await acknowledgeOutboxLines(tx, idsOf(taken));
          await returnOutboxLines(tx, idsOf(left));
        });
        return false;
      }
    },
    stop: () => void (stopped = true),
  };
}
