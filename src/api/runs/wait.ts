// Waiting for a run to settle. A waiter subscribes, then reads, and again at each announcement; it
// owns nothing: when its deadline ends (deadline, drain, client gone) the run goes on.

import { AppError } from '../../contract/errors.ts';
import type { RunStatus } from '../../contract/names.ts';
import {
  StoreUnavailableError,
  type Store,
  type StoreTransaction,
} from '../../store/database/access.ts';
import type { Watch } from '../../store/events/notifications.ts';
import { readRun, type RunRecord } from '../../store/queries/run-record.ts';
import { readStanding } from '../../store/queries/visibility.ts';
import { createShareReads, type ShareReads } from './share-reads.ts';

export const isSettled = (status: RunStatus): boolean =>
  status !== 'QUEUED' && status !== 'RUNNING';

export interface Deadline {
  /** Aborted when there is no more of it. */
  readonly signal: AbortSignal;
  readonly end: () => void;
  /** Lets go of the timer and of the signals it listens to. */
  readonly close: () => void;
}

/**
 * Ends after `waitMs`, or with the first of `signals`. Not AbortSignal.any: of a signal as old as
 * the process that one keeps every dependant.
 */
export function createDeadline(waitMs: number, signals: readonly AbortSignal[]): Deadline {
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, waitMs);
  for (const signal of signals) signal.addEventListener('abort', end, { once: true });
  if (waitMs <= 0 || signals.some((signal) => signal.aborted)) end();
  return {
    signal: over.signal,
    end,
    close: () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', end);
    },
  };
}

export interface AwaitedRun {
  readonly orgId: string;
  readonly runId: string;
  readonly deadline: AbortSignal;
  /** A run that goes on only after an action of a person is not waited for. */
  readonly stopWhenHeldUp: boolean;
  /** It is as it was committed, and Temporal is told of it once this waits. */
  readonly justStarted?: boolean;
}

/** A database that is away for a moment does not end a wait; how often it is asked meanwhile. */
const ASK_AGAIN_MS = 500;

/** The run as it is when it has settled, or at the end of the deadline. */
export async function waitForRun(store: Store, awaited: AwaitedRun): Promise<RunRecord> {
  const { orgId, deadline } = awaited;
  const watch = store.announcer.watch(awaited.runId);
  try {
    if (awaited.justStarted && !deadline.aborted) await watch.changed(deadline);
    for (;;) {
      const over = deadline.aborted;
      try {
        const run = await shareOf(store)(
          `${orgId} ${awaited.runId} ${awaited.stopWhenHeldUp} ${over}`,
          () => store.asOrg(orgId, (tx) => look(tx, awaited, over)),
        );
        if (run !== undefined) return run;
        await watch.changed(deadline);
      } catch (error) {
        if (over || !(error instanceof StoreUnavailableError)) throw error;
        await pause(watch, deadline);
      }
    }
  } finally {
    watch.close();
  }
}

const shares = new WeakMap<Store, ShareReads<RunRecord | undefined>>();
/** A thousand who wait for one run read it once when it changes. */
function shareOf(store: Store): ShareReads<RunRecord | undefined> {
  const share = shares.get(store) ?? createShareReads();
  shares.set(store, share);
  return share;
}

/** The record, if the wait is over with it. */
async function look(
  tx: StoreTransaction,
  { orgId, runId, stopWhenHeldUp }: AwaitedRun,
  over: boolean,
): Promise<RunRecord | undefined> {
  if (over) return (await readRun(tx, orgId, runId)) ?? gone();
  const standing = (await readStanding(tx, orgId, runId)) ?? gone();
  const enough = stopWhenHeldUp && standing.heldUp;
  if (!enough && !isSettled(standing.status)) return undefined;
  const run = (await readRun(tx, orgId, runId)) ?? gone();
  // A decision may have come between the two reads: then it is under way again.
  return enough || isSettled(run.status) ? run : undefined;
}

/** Its session was deleted while a caller waited for it. */
function gone(): never {
  throw new AppError('NOT_FOUND', 'There is no such run.');
}

async function pause(watch: Watch, deadline: AbortSignal): Promise<void> {
  const rest = createDeadline(ASK_AGAIN_MS, [deadline]);
  await watch.changed(rest.signal);
  rest.close();
}
