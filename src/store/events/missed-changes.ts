// Makes up for notifications that were lost: reads the state of everything that is listened to, in
// one query, and notifies where it is another than before.

import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { runTransaction } from '../database/transaction.ts';
import { inboxKey, type Subscriptions } from './subscriptions.ts';

/** How late a waiter finds a change whose notification was lost. */
const EVERY_MS = 2000;

export interface MissedChanges {
  readonly check: () => Promise<void>;
  readonly stop: () => void;
}

export function createMissedChanges(db: Database, subscriptions: Subscriptions): MissedChanges {
  const check = async (): Promise<void> => {
    const [runIds, orgIds] = [subscriptions.runIds(), subscriptions.orgIds()];
    if (runIds.length + orgIds.length === 0) return;
    try {
      for (const { id, org_id, state } of await readStates(db, runIds, orgIds))
        subscriptions.notifyIfNew(org_id === null ? id : inboxKey(org_id), state);
    } catch {
      // the database is away: the next round tries again
    }
  };
  const timer = setInterval(() => void check(), EVERY_MS);
  timer.unref();
  return { check, stop: () => clearInterval(timer) };
}

interface State {
  /** Of a run; "" for an inbox. */
  readonly id: string;
  readonly org_id: string | null;
  readonly state: string;
}

const readStates = (
  db: Database,
  runIds: readonly string[],
  orgIds: readonly string[],
): Promise<readonly State[]> =>
  runTransaction(db, 'worker', async (tx) => {
    const { rows } = await sql<State>`
      select run_id as id, null as org_id, status || ' ' || held || ' ' || event_seq || ' ' || coalesce(pause_id, '') || ' ' || coalesce((
          select max(chunk_offset) from deltas d where d.run_id = r.run_id and d.seq = (select max(seq) from deltas l where l.run_id = r.run_id)
        ), 0) as state
      from runs r where run_id = any(${runIds})
      union all select '', org_id, seq::text from inbox_heads where org_id = any(${orgIds})`.execute(
      tx,
    );
    return rows;
  });
