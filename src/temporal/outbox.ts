// Sends what the store wants told to Temporal: at once by the process that committed it, else by any. Lines of a run go in order.
// A line is acknowledged when the server has taken it, or when it can't any more (then the run goes to reconciliation).

import { assertNever } from '../contract/names.ts';
import type { Store } from '../store/access.ts';
import { acknowledgeOutboxLines, leaseOutboxLines, returnOutboxLines, type OutboxLine } from '../store/outbox.ts';
import type { Gateway, Said } from './gateway.ts';

export interface Outbox {
  /** Sends a run's lines; true when all are acknowledged, false after `SEND_WITHIN_MS`. */
  readonly send: (runId: string) => Promise<boolean>;
  /** Looks for lines of any run now. */
  readonly nudge: () => void;
  readonly stop: () => Promise<void>;
}

export interface OutboxDeps {
  readonly store: Store;
  readonly gateway: Gateway;
  /** A run whose workflow is not there: it is to be compared with its record. */
  readonly onGone: (runId: string) => void;
  readonly log: { warn: (o: object, m: string) => void };
}

/** The contract's 3 s for a start or a vote that Temporal has not taken, less what the answer takes. */
const SEND_WITHIN_MS = 2800;
const LOOK_EVERY_MS = 500;
const LINES_AT_ONCE = 50;

export function createOutbox({ store, gateway, onGone, log }: OutboxDeps): Outbox {
  const underWay = new Set<Promise<unknown>>();
  let stopped = false;
  let looking = false;
  let again = false;

  function say(line: OutboxLine): Promise<Said> {
    const { message } = line;
    switch (message.kind) {
      case 'START':
        return gateway.start(message.input);
      case 'SIGNAL':
        return gateway.wake(line.runId, message.pauseId);
      case 'CANCEL':
        return gateway.cancel(line.runId);
      default:
        return assertNever(message);
    }
  }

  /** True if it was taken. */
  async function sendLine(line: OutboxLine): Promise<boolean> {
    try {
      if ((await say(line)) === 'gone') onGone(line.runId);
      await store.asReconciler((unit) => acknowledgeOutboxLines(unit, [line.id]));
      return true;
    } catch (error) {
      log.warn({ err: error, runId: line.runId, kind: line.message.kind }, 'Temporal did not take an outbox line; it is tried again');
      await store.asReconciler((unit) => returnOutboxLines(unit, [line.id])).catch(() => undefined);
      return false;
    }
  }

  /** True if there was nothing left that could be sent and all was taken. */
  async function sendAll(runId: string | null): Promise<boolean> {
    for (;;) {
      const lines = await store.asReconciler((unit) => leaseOutboxLines(unit, runId, LINES_AT_ONCE));
      if (lines.length === 0) return true;
      const taken = await Promise.all(lines.map(sendLine));
      if (taken.includes(false)) return false;
    }
  }

  const track = <T>(work: Promise<T>): Promise<T> => {
    underWay.add(work);
    void work.finally(() => underWay.delete(work)).catch(() => undefined);
    return work;
  };

  async function look(): Promise<void> {
    if (looking || stopped) {
      again = true;
      return;
    }
    looking = true;
    try {
      do {
        again = false;
        await sendAll(null);
      } while (again && !stopped);
    } catch {
      // The database is away: the next look tries again.
    } finally {
      looking = false;
    }
  }
  const timer = setInterval(() => void track(look()), LOOK_EVERY_MS);

  return {
    send: async (runId) => {
      let giveUp: NodeJS.Timeout | undefined;
      const tooLate = new Promise<boolean>((resolve) => (giveUp = setTimeout(() => resolve(false), SEND_WITHIN_MS)));
      try {
        return await Promise.race([track(sendAll(runId)).catch(() => false), tooLate]);
      } finally {
        clearTimeout(giveUp);
      }
    },
    nudge: () => void track(look()),
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await Promise.allSettled(underWay);
    },
  };
}
