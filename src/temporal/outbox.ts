// Sends what the store wants told to Temporal: at once by the process that committed it, else by
// any. Lines of a run go in order. A line is acknowledged when the server has taken it, or when it
// can't any more (then the run goes to reconciliation).

import { withDeadline } from '../deadline.ts';
import type { Store } from '../store/database/access.ts';
import { returnLease, type LeasedLine } from '../store/outbox.ts';
import { createOutboxRounds } from './outbox-rounds.ts';
import { SEND_WITHIN_MS, createSendLine, type LineSenderDeps } from './send-line.ts';
import { createSentLeases } from './sent-leases.ts';

export interface Outbox {
  /**
   * Sends a run's lines, or the one that was leased as it was written; true when Temporal has taken
   * them, false after `SEND_WITHIN_MS`.
   */
  readonly send: (runId: string, line?: LeasedLine) => Promise<boolean>;
  /** Looks for lines of any run now. */
  readonly nudge: () => void;
  readonly stop: () => Promise<void>;
}

export interface OutboxDeps extends LineSenderDeps {
  readonly store: Store;
  /** Calls back when there may be lines that no process sends; returns what ends it. */
  readonly onDue: (look: () => void) => () => void;
}

export function createOutbox({ store, onDue, ...deps }: OutboxDeps): Outbox {
  const underWay = new Set<Promise<unknown>>();
  const track = <T>(work: Promise<T>): Promise<T> => {
    underWay.add(work);
    void work.finally(() => underWay.delete(work)).catch(() => undefined);
    return work;
  };
  const sendLine = createSendLine(deps);
  const sent = createSentLeases(store, track);
  const rounds = createOutboxRounds(store, sendLine, sent);
  let stopped = false;
  let looking = false;
  let again = false;

  async function sendLeased(runId: string, { lease, message }: LeasedLine): Promise<boolean> {
    const taken = await sendLine({ runId, message });
    if (taken) sent.add(lease);
    else await store.asReconciler((tx) => returnLease(tx, lease));
    return taken;
  }

  async function look(): Promise<void> {
    if (looking || stopped) {
      again = true;
      return;
    }
    looking = true;
    try {
      do {
        again = false;
        await rounds.sendAll(null);
      } while (again && !stopped);
    } catch {
      // The database is away: the next look tries again.
    } finally {
      looking = false;
    }
  }
  const unlisten = onDue(() => void track(look()));

  return {
    send: (runId, line) => {
      // The caller need not wait for the acknowledgement: a line that is sent twice changes nothing.
      const taken = new Promise<boolean>((resolve) => {
        const sending =
          line === undefined ? rounds.sendAll(runId, () => resolve(true)) : sendLeased(runId, line);
        void track(sending)
          .catch(() => false)
          .then(resolve);
      });
      return withDeadline(taken, SEND_WITHIN_MS, () => false);
    },
    nudge: () => void track(look()),
    stop: async () => {
      stopped = true;
      rounds.stop();
      unlisten();
      await Promise.allSettled(underWay);
      await sent.acknowledge();
    },
  };
}
