// Finds where Temporal's record and ours differ, from both sides. Every second one visibility query
// finds workflows that closed (terminated, or cancelled from outside) while their row is open; a slow
// sweep over open rows finds what that query misses; a slow walk over open workflows finds those
// whose row has ended. It also notes the runs that an operator holds.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../store/database/access.ts';
import { openAfter, openAmong } from '../store/runs/open-runs.ts';
import { releaseStranded } from '../store/runs/runs.ts';
import { createAbsences } from './absences.ts';
import { createCompareRun, type Correction } from './compare-run.ts';
import type { TemporalIdentity } from './counterpart.ts';
import { createEndWorkflows } from './end-workflows.ts';
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
  readonly identity: TemporalIdentity;
  /** Starts before then: an operator has confirmed that Temporal may not know them. */
  readonly since: Date;
  /** How long Temporal remembers a closed workflow. */
  readonly retentionMs: number;
  /** A start waits to be sent: of a session's next run, or of one that is started anew. */
  readonly onReleased: () => void;
  /** For who counts. */
  readonly onCorrected?: ((what: Correction) => void) | undefined;
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
  const { store, workflows, identity, onReleased, log, lookEveryMs = LOOK_EVERY_MS } = deps;
  const { isDue = () => true } = deps;
  const sent = new Map<string, string>();
  const compare = createCompareRun({ ...deps, absences: createAbsences(log, deps.clock), sent });
  const endWorkflows = createEndWorkflows({
    ...deps,
    sent,
    everyMs: deps.walkEveryMs ?? WALK_EVERY_MS,
    olderThanS: SWEEP_OLDER_THAN_S,
  });
  // By Temporal's clock, as soon as a close shows it: this machine's may be wrong.
  let since = Date.now() - FIRST_LOOK_BACK_MS;
  let swept = '';
  let restLooks = 0;

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
    for (const _ of released) deps.onCorrected?.('released');
    log.warn({ runIds: released }, 'queued runs with no run before them were started');
    onReleased();
  }

  // A server without paused workflows refuses the query.
  const held = async (): Promise<void> => {
    if (isDue('openRuns'))
      await lookAtHeld(store, workflows, isDue('heldRuns')).catch(() => undefined);
  };

  const stop = repeat([lookAtClosed, sweep, endWorkflows, held], identity, lookEveryMs);

  return {
    compare: async (runId) => {
      try {
        await identity.check();
        await compare(runId);
      } catch {
        // The sweep compares it again.
      }
    },
    stop,
  };
}

/** Looks again and again; returns what ends it. */
function repeat(
  looks: readonly (() => Promise<void>)[],
  identity: TemporalIdentity,
  everyMs: number,
): () => Promise<void> {
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      for (const look of looks)
        try {
          await identity.check();
          await look();
        } catch {
          // Temporal or the database is away, or Temporal is another one: nothing is concluded.
          identity.invalidate();
        }
      await sleep(everyMs, undefined, { ref: false });
    }
  })();
  return async () => {
    stopped = true;
    await loop;
  };
}
