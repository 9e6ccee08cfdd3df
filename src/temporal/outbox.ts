// When lines of the outbox are sent: at once by the process that committed them, else by any
// process that looks.

import { withDeadline } from '../deadline.ts';
import { createSendLines, type SendLinesDeps } from './send-lines.ts';

export interface Outbox {
  /** Sends a run's lines; true when all are acknowledged, false after `SEND_WITHIN_MS`. */
  readonly send: (runId: string) => Promise<boolean>;
  /** Looks for lines of any run now. */
  readonly nudge: () => void;
  readonly stop: () => Promise<void>;
}

export type OutboxDeps = SendLinesDeps;

/**
 * The contract's 3 s for a start or a vote that Temporal has not taken, less what the answer takes.
 */
const SEND_WITHIN_MS = 2800;
const LOOK_EVERY_MS = 500;

export function createOutbox(deps: OutboxDeps): Outbox {
  const lines = createSendLines(deps);
  const underWay = new Set<Promise<unknown>>();
  let stopped = false;
  let looking = false;
  let again = false;

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
        await lines.ofAnyRun(() => stopped);
      } while (again && !stopped);
    } catch {
      // The database is away: the next look tries again.
    } finally {
      looking = false;
    }
  }
  const timer = setInterval(() => void track(look()), LOOK_EVERY_MS);

  return {
    send: (runId) => {
      // The caller need not wait for the acknowledgement: a line that is sent twice changes nothing.
      const taken = new Promise<boolean>((resolve) => {
        void track(lines.ofRun(runId, () => resolve(true)))
          .catch(() => false)
          .then(resolve);
      });
      return withDeadline(taken, SEND_WITHIN_MS, () => false);
    },
    nudge: () => void track(look()),
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await Promise.allSettled(underWay);
    },
  };
}
