// Pauses that are about to expire: announced once each, a tenth of their time before its end, at most an
// hour before. Looked for by the sender, by the database's clock: there is no change whose
// transaction could write it.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import { OPEN_CALLS, readRuns } from '../queries/run-record.ts';
import { addExpiringDeliveries } from './new-deliveries.ts';

const CALLS_AT_ONCE = 200;
const AT_MOST = sql.lit('1 hour');

/** Of calls; a pause of which is still to be announced. */
export const ABOUT_TO_EXPIRE = sql<boolean>`
  pause_id is not null and expires_at > clock_timestamp() and expires_at <= clock_timestamp() + ${AT_MOST}::interval
    and expires_at - least(${AT_MOST}::interval, (expires_at - requested_at) / 10) <= clock_timestamp()
    and expiring_told is distinct from pause_id`;

/** True where more may be left. */
export async function announceExpiringPauses(tx: StoreTransaction): Promise<boolean> {
  const { rows } = await sql<{ run_id: string; pause_id: string }>`
    update calls set expiring_told = pause_id where call_id in (
      select call_id from calls
      where ${ABOUT_TO_EXPIRE}
      order by expires_at limit ${CALLS_AT_ONCE} for update skip locked)
    returning run_id, pause_id`.execute(tx.db);
  const pauses = new Map(rows.map((row) => [row.pause_id, row.run_id]));
  for (const [pauseId, runId] of pauses) {
    const [run] = await readRuns(tx, sql`r.run_id = ${runId}`, sql``, OPEN_CALLS);
    if (run?.pauseId !== pauseId) continue;
    const calls = run.calls.filter((call) => call.pauseId === pauseId);
    addExpiringDeliveries(tx, runId, pauseId, { ...run, calls });
  }
  return rows.length === CALLS_AT_ONCE;
}
