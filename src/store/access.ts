// The only ways to the store: asOrg for callers, asWorker for activities, asReconciler for the seam with Temporal.
// Each is one transaction, repeated as a whole where the database asks for it or its reply was lost: so everything inside
// must find itself again by ids made before. Nothing in here may await anything but the database.

import { sql, type Transaction } from 'kysely';
import type { Announcer } from './announce.ts';
import type { Database } from './database.ts';

export interface Unit {
  readonly tx: Transaction<unknown>;
  /** Tells the run's watchers, after the commit. */
  readonly announce: (runId: string) => void;
}

export type Work<T> = (unit: Unit) => Promise<T>;

export interface Store {
  readonly asOrg: <T>(orgId: string, work: Work<T>) => Promise<T>;
  readonly asWorker: <T>(work: Work<T>) => Promise<T>;
  readonly asReconciler: <T>(work: Work<T>) => Promise<T>;
  readonly announcer: Announcer;
  /** Resolves if the database answers; for the readiness route. */
  readonly ping: () => Promise<void>;
}

/** The database could not be reached in time. `uncertain`: a commit was sent and its reply lost. */
export class StoreUnavailableError extends Error {
  readonly uncertain: boolean;
  constructor(uncertain: boolean, cause: unknown) {
    super('the database does not answer', { cause });
    this.name = 'StoreUnavailableError';
    this.uncertain = uncertain;
  }
}

// The contract's 3 s for a 503, less what answering takes.
const GIVE_UP_AFTER_MS = 2600;
const CONFLICT_RETRIES = 20;

const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
};
const isConflict = (error: unknown): boolean => ['40001', '40P01'].includes(codeOf(error));

/** SQLSTATE classes 08 (connection), 57P (shutdown), 53 (resources); and what node and pg say when a socket broke. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error);
  if (/^(08|57P|53)/.test(code) || /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|ENOENT)/.test(code)) return true;
  // pg gives these three no code
  const text = error instanceof Error ? error.message : '';
  return /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error)/.test(
    text,
  );
}

export function createStore(db: Database, announcer: Announcer): Store {
  async function transact<T>(work: Work<T>): Promise<T> {
    const giveUpAt = Date.now() + GIVE_UP_AFTER_MS;
    let uncertain = false;
    for (let attempt = 1; ; attempt++) {
      const announced = new Set<string>();
      let atCommit = false;
      try {
        const value = await db.kysely.transaction().execute(async (tx) => {
          const result = await work({ tx, announce: (runId) => void announced.add(runId) });
          atCommit = true;
          return result;
        });
        if (announced.size > 0) announcer.announce([...announced]);
        return value;
      } catch (error) {
        if (isConflict(error) && attempt <= CONFLICT_RETRIES) continue;
        if (!isConnectionLoss(error)) throw error;
        uncertain ||= atCommit;
        if (Date.now() >= giveUpAt) throw new StoreUnavailableError(uncertain, error);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
  return {
    asOrg: (_orgId, work) => transact(work),
    asWorker: transact,
    asReconciler: transact,
    announcer,
    ping: async () => {
      await sql`select 1`.execute(db.kysely);
    },
  };
}
