// Where Temporal's record and ours may have come apart, looked at from both sides. A workflow that
// closed (terminated, or cancelled from outside) while its row is open: every second one visibility
// query, and a slow sweep over open rows for what it misses. A workflow that is open while its row
// has ended, or waits for what the record has decided: Temporal was restored from a backup. And for
// the runs that an operator holds.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../store/database/access.ts';
import { endedAmong, openAfter, openAmong, startedRun } from '../store/runs/open-runs.ts';
import { releaseStranded } from '../store/runs/runs.ts';
import { settle } from '../store/runs/settle.ts';
import { startAnew } from '../store/runs/start-anew.ts';
import { createAbsences } from './absences.ts';
import type { Acquaintance } from './counterpart.ts';
import { endOf, isOpen, workflowIsLost } from './closed-as.ts';
import type { Gateway } from './gateway.ts';
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
  readonly gateway: Pick<Gateway, 'wake' | 'wakeAsBefore' | 'cancel' | 'terminate'>;
  readonly acquaintance: Acquaintance;
  /** Of starts before then an operator has said that Temporal may not know them. */
  readonly since: Date;
  /** How long Temporal remembers a closed workflow. */
  readonly retentionMs: number;
  /** A start waits to be sent: of a session's next run, or of one that is started anew. */
  readonly onReleased: () => void;
  readonly log: {
    readonly warn: (o: object, m: string) => void;
    readonly error: (o: object, m: string) => void;
  };
  readonly lookEveryMs?: number;
  readonly walkEveryMs?: number;
  /** Whether the record has runs to compare; by default it is taken to. */
  readonly isDue?: (kind: 'openRuns' | 'heldRuns') => boolean;
  /** For a test: the clock by which an absence is seen twice. */
  readonly clock?: () => number;
}

const LOOK_EVERY_MS = 1000;
/** Visibility lags behind: a close is seen again by so many looks. */
const LOOK_BACK_MS = 30_000;
/** The first look of a process: until it has seen a close it knows its own clock only. */
const FIRST_LOOK_BACK_MS = 600_000;
/** Open rows compared a second, the longest unseen first. */
const SWEEP_AT_ONCE = 5;
/** Between two sweeps over all of them, in looks. */
const SWEEP_AGAIN_AFTER_LOOKS = 3;
/** A row this young may have a start, or a decision, that is just being sent. */
const SWEEP_OLDER_THAN_S = 20;
/** Between two walks over all open workflows. */
const WALK_EVERY_MS = 60_000;

export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const { store, workflows, gateway, onReleased, log, lookEveryMs = LOOK_EVERY_MS } = deps;
  const { walkEveryMs = WALK_EVERY_MS, isDue = () => true } = deps;
  const absences = createAbsences(log, deps.clock);
  /** Told once already, by the run: what they were told last. */
  const told = new Map<string, string>();
  let stopped = false;
  // By Temporal's clock, as soon as it has told one: this machine's may be wrong.
  let since = Date.now() - FIRST_LOOK_BACK_MS;
  let swept = '';
  let restLooks = 0;
  let page: Uint8Array | undefined;
  let walkAt = 0;

  async function compare(runId: string): Promise<void> {
    // Read first: what Temporal then says is about this execution or a later one. The other way
    // round the end of a failed execution would be taken for that of the one which took the run up.
    const started = await store.asReconciler((tx) => startedRun(tx, runId));
    // A start that was never acknowledged is on its way, not lost; and a run whose start never was
    // is queued.
    if (started === undefined) return void told.delete(runId);
    const look = await workflows.look(runId);
    if (look.status !== 'NOT_FOUND') absences.found(runId);
    if (isOpen(look.status)) return wakeIfBehind(runId, started, look.idleSince);
    const { execution, takenAt } = started;
    if (look.status === 'NOT_FOUND') {
      if (!absences.missing(runId, takenAt < deps.since)) return;
      // Older than what Temporal remembers of a closed one: nobody can tell what became of it.
      const mayBeForgotten = Date.now() - takenAt.getTime() > deps.retentionMs;
      if (!started.hasActed && !mayBeForgotten) {
        await store.asReconciler((tx) => startAnew(tx, runId, takenAt));
        log.warn(
          { runId },
          'a run whose workflow is gone was started again: nothing of it went out',
        );
        return onReleased();
      }
    }
    const end = look.status === 'NOT_FOUND' ? workflowIsLost : endOf(look.status, started);
    const settled = await store.asReconciler(async (tx) => {
      const now = await startedRun(tx, runId);
      return now?.execution === execution && now.takenAt.getTime() === takenAt.getTime()
        ? settle(tx, runId, end, 'temporal', { execution })
        : undefined;
    });
    if (settled === undefined) return;
    log.warn(
      { runId, workflow: look.status, status: settled.status },
      'a run whose workflow had closed was settled',
    );
    onReleased();
  }

  /**
   * A workflow that waits for a pause which the record has decided: the wake-up was lost with a
   * restored Temporal, or its worker is of a release that does not know it.
   */
  async function wakeIfBehind(
    runId: string,
    run: { readonly pausedSince: Date | null; readonly decidedPauseId: string | null },
    idleSince: Date | undefined,
  ): Promise<void> {
    if (idleSince === undefined || run.pausedSince?.getTime() === idleSince.getTime())
      return void told.delete(runId);
    const pauseId = run.decidedPauseId ?? '';
    const before = told.get(runId) === pauseId;
    told.set(runId, pauseId);
    await (before ? gateway.wakeAsBefore(runId, pauseId) : gateway.wake(runId, { pauseId }));
    log.warn({ runId, pauseId }, 'a workflow that waits for what is decided was woken again');
  }

  async function lookAtClosed(): Promise<void> {
    if (!isDue('openRuns')) return;
    const closed = await workflows.closedSince(new Date(since));
    for (const { closedAt } of closed) since = Math.max(since, closedAt.getTime() - LOOK_BACK_MS);
    if (closed.length === 0) return;
    const ids = closed.map(({ runId }) => runId);
    const open = await store.asReconciler((tx) => openAmong(tx, ids));
    for (const runId of open) await compare(runId);
  }

  async function sweep(): Promise<void> {
    if (!isDue('openRuns') || restLooks-- > 0) return;
    const open = await store.asReconciler((tx) =>
      openAfter(tx, swept, { olderThanS: SWEEP_OLDER_THAN_S, most: SWEEP_AT_ONCE }),
    );
    const hasMore = open.length === SWEEP_AT_ONCE;
    swept = hasMore ? (open.at(-1) ?? '') : '';
    restLooks = hasMore ? 0 : SWEEP_AGAIN_AFTER_LOOKS - 1;
    if (open.length === 0) return;
    for (const runId of open) await compare(runId);
    const released = await store.asReconciler((tx) => releaseStranded(tx, open));
    if (released.length === 0) return;
    log.warn({ runIds: released }, 'queued runs with no run before them were started');
    onReleased();
  }

  /** A page of the open workflows: those whose row has ended are led to that end. */
  async function walk(): Promise<void> {
    if (page === undefined && performance.now() < walkAt) return;
    const { runIds, next } = await workflows.openOnes(page);
    page = next;
    if (next === undefined) walkAt = performance.now() + walkEveryMs;
    const ended = await store.asReconciler((tx) =>
      endedAmong(tx, runIds, { sinceS: SWEEP_OLDER_THAN_S }),
    );
    for (const { runId, status } of ended) {
      const look = await workflows.look(runId);
      // One with a task under way asks the record by itself; one that an operator holds may not.
      if (look.status !== 'RUNNING' || look.busy) continue;
      const before = told.get(runId) === status;
      told.set(runId, status);
      if (before) await gateway.terminate(runId, `the run is ${status} in its record`);
      else if (status === 'CANCELLED') await gateway.cancel(runId);
      else await gateway.wake(runId, { pauseId: '' });
      log.warn({ runId, status }, 'a workflow whose run has ended was told so');
    }
  }

  // A server that knows no pause of workflows refuses to be asked for them.
  const held = async (): Promise<void> => {
    if (isDue('openRuns'))
      await lookAtHeld(store, workflows, isDue('heldRuns')).catch(() => undefined);
  };

  const loop = (async () => {
    while (!stopped) {
      for (const look of [lookAtClosed, sweep, walk, held])
        try {
          await deps.acquaintance.check();
          await look();
        } catch {
          // Temporal or the database is away, or Temporal is another one: nothing is concluded.
          deps.acquaintance.doubt();
        }
      await sleep(lookEveryMs, undefined, { ref: false });
    }
  })();

  return {
    compare: async (runId) => {
      try {
        await deps.acquaintance.check();
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
