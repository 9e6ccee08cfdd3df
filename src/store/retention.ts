// RETENTION_DAYS: what is deleted of runs that ended so long ago are their stored events and
// deltas, the bulk of a record. The run itself, its calls, decisions, audit lines and keys stay. A
// few runs at a time, so that nobody waits behind it.

import { sql } from 'kysely';
import type { Store } from './database/access.ts';

const RUNS_AT_ONCE = 200;

/** Runs whose events were deleted by this step; 0: nothing is left to do for now. */
export async function deleteOldEvents(store: Store, retentionDays: number): Promise<number> {
  return store.asReconciler(async (tx) => {
    const { rows } = await sql<{ run_id: string }>`
      select r.run_id from runs r
      where r.closed_at < now() - make_interval(days => ${retentionDays}) and exists (select 1 from events e where e.run_id = r.run_id)
      order by r.closed_at limit ${RUNS_AT_ONCE}`.execute(tx.db);
    const ids = rows.map((row) => row.run_id);
    if (ids.length === 0) return 0;
    await sql`delete from deltas where run_id = any(${ids})`.execute(tx.db);
    await sql`delete from events where run_id = any(${ids})`.execute(tx.db);
    return ids.length;
  });
}
