// Leases of lines that Temporal has taken: acknowledged with the next look for lines, or by
// themselves a moment later.

import type { Store } from '../store/database/access.ts';
import { acknowledgeLeases } from '../store/outbox.ts';

export interface SentLeases {
  readonly add: (lease: string) => void;
  readonly held: () => readonly string[];
  /** Acknowledged by somebody else's transaction. */
  readonly drop: (leases: readonly string[]) => void;
  readonly acknowledge: () => Promise<void>;
}

/**
 * A start is acknowledged by the run's first transaction where a worker is there; by its sender
 * after so long. Until then no other process sends a later line of the run.
 */
const ACKNOWLEDGE_AFTER_MS = 1000;

export function createSentLeases(
  store: Store,
  track: (work: Promise<void>) => unknown,
): SentLeases {
  let sent: readonly string[] = [];
  let timer: NodeJS.Timeout | undefined;
  async function acknowledge(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const leases = sent;
    sent = [];
    if (leases.length === 0) return;
    // Where the database is away the leases end, and the lines are said once more.
    await store.asReconciler((tx) => acknowledgeLeases(tx, leases)).catch(() => undefined);
  }
  return {
    add: (lease) => {
      sent = [...sent, lease];
      timer ??= setTimeout(() => track(acknowledge()), ACKNOWLEDGE_AFTER_MS);
    },
    held: () => sent,
    drop: (leases) => void (sent = sent.filter((one) => !leases.includes(one))),
    acknowledge,
  };
}
