// Waiting for a run to settle. A waiter subscribes, then reads, and again at each announcement; it owns nothing: when its patience
// ends (deadline, drain, client gone) the run goes on.

import { AppError } from '../../contract/errors.ts';
import type { RunStatus } from '../../contract/names.ts';
import { StoreUnavailableError, type Store, type Unit } from '../../store/database/access.ts';
import type { Watch } from '../../store/events/notifications.ts';
import { readRun, type RunRecord } from '../../store/queries/run-record.ts';
import { readStanding } from '../../store/queries/visibility.ts';
import { createShareReads, type ShareReads } from './share-reads.ts';

export const isSettled = (status: RunStatus): boolean => status !== 'QUEUED' && status !== 'RUNNING';

export interface Patience {
  /** Aborted when there is no more of it. */
  readonly signal: AbortSignal;
  readonly end: () => void;
  /** Lets go of the timer and of the signals it listens to. */
  readonly close: () => void;
}

/** Ends after `waitMs`, or with the first of `signals`. Not AbortSignal.any: of a signal as old as the process that one keeps every dependant. */
export function createPatience(waitMs: number, signals: readonly AbortSignal[]): Patience {
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

export interface Awaited {
  readonly orgId: string;
  readonly runId: string;
  readonly patience: AbortSignal;
  /** A QUEUED run whose session waits for people is not worth waiting for. */
  readonly stopBehindPause: boolean;
}

/** A database that is away for a moment does not end a wait; how often it is asked meanwhile. */
const ASK_AGAIN_MS = 500;

/** The run as it stands when it has settled, or at the end of the patience. */
export async function waitForRun(store: Store, awaited: Awaited): Promise<RunRecord> {
  const { orgId, patience } = awaited;
  const watch = store.announcer.watch(awaited.runId);
  try {
    for (;;) {
      const over = patience.aborted;
      try {
        const run = await shareOf(store)(`${orgId} ${awaited.runId} ${awaited.stopBehindPause} ${over}`, () =>
          store.asOrg(orgId, (unit) => look(unit, awaited, over)),
        );
        if (run !== undefined) return run;
        await watch.changed(patience);
      } catch (error) {
        if (over || !(error instanceof StoreUnavailableError)) throw error;
        await pause(watch, patience);
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
async function look(unit: Unit, { orgId, runId, stopBehindPause }: Awaited, over: boolean): Promise<RunRecord | undefined> {
  const standing = over ? undefined : await readStanding(unit, orgId, runId);
  if (!over && standing === undefined) throw gone();
  const enough = over || (stopBehindPause && standing?.behindPause === true);
  if (!enough && !(standing !== undefined && isSettled(standing.status))) return undefined;
  const run = await readRun(unit, orgId, runId);
  if (run === undefined) throw gone();
  // Between the two reads somebody may have decided: then it is on its way again.
  return enough || isSettled(run.status) ? run : undefined;
}

/** Its session was deleted while somebody waited for it. */
const gone = (): AppError => new AppError('NOT_FOUND', 'There is no such run.');

async function pause(watch: Watch, patience: AbortSignal): Promise<void> {
  const rest = createPatience(ASK_AGAIN_MS, [patience]);
  await watch.changed(rest.signal);
  rest.close();
}
