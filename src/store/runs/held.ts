// Whether an operator holds a run: its workflow was paused in Temporal. Only Temporal knows; the
// record says it to who reads the run or waits for it.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';
import { OPEN } from './open-runs.ts';

export async function heldRuns(tx: StoreTransaction): Promise<readonly string[]> {
  const { rows } = await sql<Columns<'runs', 'run_id'>>`select run_id from runs where held`.execute(
    tx.db,
  );
  return rows.map((row) => row.run_id);
}

/** No event, and no vote or end looks at it. */
export async function noteHeld(tx: StoreTransaction, runId: string, held: boolean): Promise<void> {
  const noted = await sql`update runs set held = ${held}
    where run_id = ${runId} and held <> ${held} and (not ${held} or status in ${OPEN}) returning run_id`.execute(
    tx.db,
  );
  if (noted.rows.length > 0) tx.announce(runId, 'STATUS');
}
