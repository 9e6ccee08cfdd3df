// The only ways to the store: asOrg for callers, asWorker for activities, asReconciler for the
// outbox and the reconciler. Each is one transaction, repeated as a whole where the database asks
// for it or its reply was lost: so everything inside must find itself again by ids made before.
// Nothing in here may await anything but the database.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql, type QueryExecutorProvider, type Transaction } from 'kysely';
import type { FailureCode, TerminalStatus } from '../../contract/names.ts';
import { createDueWatch, type DueWatch } from '../due.ts';
import { withDeadline } from '../../deadline.ts';
import type { Announcer } from '../events/notifications.ts';
import { isConflict, isConnectionLoss } from './connection-loss.ts';
import type { Database, PoolUse } from './database.ts';
import { createLiveDeltas, type LiveDeltas } from '../events/live-deltas.ts';
import type { As } from './identity.ts';
import type { Tables } from './tables.ts';
import { runTransaction } from './transaction.ts';

/** Raw SQL, or what was built over the transaction's own `db`. */
interface Statement {
  readonly execute: (db: QueryExecutorProvider) => Promise<unknown>;
}

export interface StoreTransaction {
  readonly db: Transaction<Tables>;
  /**
   * Sends a statement whose answer nothing depends on, and does not wait for it; the transaction
   * fails if it does.
   */
  readonly write: (statement: Statement) => void;
  /** Notifies those who follow the run, after the commit. */
  readonly announce: (runId: string, change: 'STATUS' | 'EVENTS') => void;
  /** Notifies those who follow the inbox of the org, after the commit. */
  readonly announceInbox: (orgId: string) => void;
  /** A run has ended; told to who counts, after the commit. */
  readonly runEnded: (end: RunEnd) => void;
}

export interface RunEnd {
  readonly agentId: string;
  readonly status: TerminalStatus;
  readonly code: FailureCode | null;
  /** From its start. */
  readonly seconds: number;
  /** Of them those in which it was paused. */
  readonly waitedSeconds: number;
}

export type Work<T> = (tx: StoreTransaction) => T | Promise<T>;

export interface Store {
  readonly asOrg: <T>(orgId: string, work: Work<T>) => Promise<T>;
  readonly asWorker: <T>(work: Work<T>) => Promise<T>;
  readonly asReconciler: <T>(work: Work<T>) => Promise<T>;
  readonly announcer: Announcer;
  /** What there is to do that no caller waits for. */
  readonly due: DueWatch;
  /** Deltas of models in this process. */
  readonly live: LiveDeltas;
  /** Calls back for each run that a transaction of this process has ended. */
  readonly onRunEnded: (listener: (end: RunEnd) => void) => void;
  /** The connections of the pool; absent where the database is embedded. */
  readonly pool?: (() => PoolUse) | undefined;
  /** Resolves if the database answers; for the readiness route. */
  readonly ping: () => Promise<void>;
}

/**
 * What was asked could not be done in time. `uncertain`: a commit was sent and its reply lost.
 * `slow`: the database has answered meanwhile, in this transaction or another, so it is there; this
 * was too much for it.
 */
export class StoreUnavailableError extends Error {
  readonly uncertain: boolean;
  readonly slow: boolean;
  constructor(uncertain: boolean, slow: boolean, cause: unknown) {
    super(slow ? 'the database did not finish in time' : 'the database does not answer', { cause });
    this.name = 'StoreUnavailableError';
    this.uncertain = uncertain;
    this.slow = slow;
  }
}

/** A database that does not answer is given up as soon as one that refuses. */
function within<T>(
  giveUpAt: number,
  progress: { abandoned: boolean },
  work: () => Promise<T>,
): Promise<T> {
  return withDeadline(work(), Math.max(1, giveUpAt - performance.now()), (): never => {
    progress.abandoned = true;
    throw Object.assign(new Error('the database does not answer'), { code: 'ETIMEDOUT' });
  });
}

const writeOver =
  (db: QueryExecutorProvider): StoreTransaction['write'] =>
  (statement) => {
    // Its failure is the transaction's, which transaction.ts sees to.
    statement.execute(db).catch(() => undefined);
  };

// The contract's 3 s for a 503, less what answering takes.
const GIVE_UP_AFTER_MS = 2600;
// No caller waits for a worker's transaction, and giving one up that only takes long would have a
// model asked and paid again. Below the 10 s of the activities that repeat one.
const WORKER_GIVES_UP_AFTER_MS = 8000;
/** A database that has answered any transaction this lately is there. */
const IN_SIGHT_MS = 1000;
const CONFLICT_RETRIES = 20;

export function createStore(db: Database, announcer: Announcer): Store {
  const endListeners: ((end: RunEnd) => void)[] = [];
  async function transact<T>(as: As, work: Work<T>): Promise<T> {
    // Monotonic: a system clock that is put back by an hour would make a caller wait for an hour.
    const patienceMs = as === 'worker' ? WORKER_GIVES_UP_AFTER_MS : GIVE_UP_AFTER_MS;
    const askedAt = performance.now();
    const giveUpAt = askedAt + patienceMs;
    let uncertain = false;
    for (let attempt = 1; ; attempt++) {
      const announced = new Map<string, 'STATUS' | 'EVENTS'>();
      const announce: StoreTransaction['announce'] = (runId, change) => {
        if (announced.get(runId) !== 'STATUS') announced.set(runId, change);
      };
      const inboxes = new Set<string>();
      const ends: RunEnd[] = [];
      const progress = { entered: false, atCommit: false, abandoned: false };
      try {
        const announceInbox = (orgId: string): unknown => inboxes.add(orgId);
        const runEnded = (end: RunEnd): unknown => ends.push(end);
        const value = await within(giveUpAt, progress, () =>
          runTransaction(
            db,
            as,
            (tx) => work({ db: tx, write: writeOver(tx), announce, announceInbox, runEnded }),
            progress,
          ),
        );
        if (as !== 'reconciler' || announced.size + inboxes.size > 0) announcer.changed();
        if (announced.size > 0) announcer.announce(announced);
        if (inboxes.size > 0) announcer.announceInboxes(inboxes);
        for (const end of ends) for (const listener of endListeners) listener(end);
        return value;
      } catch (error) {
        if (isConflict(error) && attempt <= CONFLICT_RETRIES) continue;
        if (!isConnectionLoss(error)) throw error;
        uncertain ||= progress.atCommit;
        if (performance.now() >= giveUpAt)
          throw new StoreUnavailableError(
            uncertain,
            progress.entered ||
              db.answeredAt() > Math.max(askedAt, performance.now() - IN_SIGHT_MS),
            error,
          );
        await sleep(100);
      }
    }
  }
  const asReconciler: Store['asReconciler'] = (work) => transact('reconciler', work);
  return {
    asOrg: (orgId, work) => transact({ org: orgId }, work),
    asWorker: (work) => transact('worker', work),
    asReconciler,
    announcer,
    due: createDueWatch(asReconciler, announcer),
    live: createLiveDeltas(),
    onRunEnded: (listener) => void endListeners.push(listener),
    pool: db.pool,
    ping: () => sql`select 1`.execute(db.kysely).then(() => undefined),
  };
}
