// Where Temporal's record and ours may have come apart: a workflow that closed (terminated, or
// cancelled from outside) while its row is open. Every second one visibility query for what closed
// since the last look less 30 s without having said how it ended, and a slow sweep over open rows
// for what a query misses; and one for the runs that an operator holds.

import { setTimeout as sleep } from 'node:timers/promises';
import type { RunFailure } from '../contract/names.ts';
import type { Settlement } from '../contract/turn.ts';
import type { Store } from '../store/database/access.ts';
import { openAfter, openAmong, startedExecution } from '../store/runs/open-runs.ts';
import { releaseStranded } from '../store/runs/runs.ts';
import { settle } from '../store/runs/settle.ts';
import { lookAtHeld } from './held-runs.ts';
import type { WorkflowObserver } from './workflow-observer.ts';

export interface Reconciler {
  /** Compares one run with its workflow. */
  readonly compare: (runId: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface ReconcilerDeps {
  readonly store: Store;
  readonly workflows: WorkflowObserver;
  /** A run that ended here may have released its session's next one. */
  readonly onReleased: () => void;
  readonly log: { warn: (o: object, m: string) => void };
  readonly lookEveryMs?: number;
}

const LOOK_EVERY_MS = 1000;
/** Visibility lags behind: a close is seen again by so many looks. */
const LOOK_BACK_MS = 30_000;
/** Open rows compared a second, the longest unseen first. */
const SWEEP_AT_ONCE = 5;
/** A row this young may have a start that is just being sent. */
const SWEEP_OLDER_THAN_S = 20;

const terminated: RunFailure = {
  code: 'TERMINATED',
  message: 'The run was terminated by an operator. Start it again if it is still wanted.',
};
const lost: RunFailure = {
  code: 'TERMINATED',
  message: 'The workflow of this run is gone. Start it again if it is still wanted.',
};

export function createReconciler({
  store,
  workflows,
  onReleased,
  log,
  lookEveryMs = LOOK_EVERY_MS,
}: ReconcilerDeps): Reconciler {
  let stopped = false;
  let since = Date.now() - LOOK_BACK_MS;
  let swept = '';

  async function compare(runId: string): Promise<void> {
    // Read first: what Temporal then says is about this execution or a later one. The other way
    // round the end of a failed execution would be taken for that of the one which took the run up.
    const execution = await store.asReconciler((tx) => startedExecution(tx, runId));
    // A start that was never acknowledged is on its way, not lost; and a run whose start never was
    // is queued.
    if (execution === undefined) return;
    const status = await workflows.status(runId);
    const end = endOf(status);
    if (end === undefined) return;
    const settled = await store.asReconciler(async (tx) =>
      (await startedExecution(tx, runId)) === execution
        ? settle(tx, runId, end, 'temporal', { execution })
        : undefined,
    );
    if (settled === undefined) return;
    log.warn(
      { runId, workflow: status, status: settled.status },
      'a run whose workflow had closed was settled',
    );
    onReleased();
  }

  async function lookAtClosed(): Promise<void> {
    const began = Date.now();
    const closed = await workflows.closedSince(new Date(since - LOOK_BACK_MS));
    since = began;
    if (closed.length === 0) return;
    const open = await store.asReconciler((tx) => openAmong(tx, closed));
    for (const runId of open) await compare(runId);
  }

  async function sweep(): Promise<void> {
    const open = await store.asReconciler((tx) =>
      openAfter(tx, swept, { olderThanS: SWEEP_OLDER_THAN_S, most: SWEEP_AT_ONCE }),
    );
    swept = open.length < SWEEP_AT_ONCE ? '' : (open.at(-1) ?? '');
    for (const runId of open) await compare(runId);
    const released = await store.asReconciler((tx) => releaseStranded(tx, open));
    if (released.length === 0) return;
    log.warn({ runIds: released }, 'queued runs with no run before them were started');
    onReleased();
  }

  const loop = (async () => {
    while (!stopped) {
      for (const look of [lookAtClosed, sweep, () => lookAtHeld(store, workflows)])
        try {
          await look();
        } catch {
          // Temporal or the database is away: nothing is concluded from that.
        }
      await sleep(lookEveryMs, undefined, { ref: false });
    }
  })();

  return {
    compare: async (runId) => {
      try {
        await compare(runId);
      } catch {
        // The sweep comes by again.
      }
    },
    stop: async () => {
      stopped = true;
      await loop;
    },
  };
}

/** What a workflow that is not open says of its run; undefined while it is open. */
function endOf(status: string): Settlement | undefined {
  switch (status) {
    case 'RUNNING':
    case 'CONTINUED_AS_NEW':
    case 'PAUSED':
      return undefined;
    case 'CANCELLED':
      return { kind: 'CANCELLED' };
    case 'TERMINATED':
      return { kind: 'FAILED', failure: terminated };
    default:
      return { kind: 'FAILED', failure: lost };
  }
}
