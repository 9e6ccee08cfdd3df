// A run whose start Temporal has taken and does not know any more, though nothing of the run went
// out: the same start once more. What the record has of it the new execution finds.

import { sql } from 'kysely';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { lockRun } from './runs.ts';

/** `takenAt`: of the start that was lost. A later one is left as it is. */
export async function startAnew(tx: StoreTransaction, runId: string, takenAt: Date): Promise<void> {
  const run = await lockRun(tx, runId);
  if (run === undefined) return;
  const { rows } = await sql`
    update outbox set acknowledged_at = null, claimed_until = null, claimed_by = null
    where id = (select max(id) from outbox where run_id = ${runId} and kind = 'START')
      and date_trunc('milliseconds', acknowledged_at) = ${takenAt} returning id`.execute(tx.db);
  if (rows.length === 0) return;
  audit(tx, { orgId: run.orgId, runId, actor: 'holdpoint', action: 'run.started-anew' });
}
