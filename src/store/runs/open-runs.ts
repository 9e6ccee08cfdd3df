// Runs that have not ended, as the reconciler looks for them.

import { sql } from 'kysely';
import type { RunStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';

/** For `status in ${OPEN}`: constants, so that the partial index `runs_open` serves. */
export const OPEN = sql`('QUEUED', 'RUNNING', 'PAUSED')`;

/** undefined: there is no such run. */
export async function statusOf(
  tx: StoreTransaction,
  runId: string,
): Promise<RunStatus | undefined> {
  const row = await tx.db
    .selectFrom('runs')
    .select('status')
    .where('run_id', '=', runId)
    .executeTakeFirst();
  return row?.status;
}

/**
 * The execution of an open run whose start Temporal has taken: its workflow must be there. undefined
 * where the run has ended, or a start is still on its way.
 */
export async function startedExecution(
  tx: StoreTransaction,
  runId: string,
): Promise<number | undefined> {
  const { rows } = await sql<{ execution: number }>`
    select r.retries + 1 as execution from runs r where r.run_id = ${runId} and r.status in ${OPEN}
      and exists (select 1 from outbox o where o.run_id = r.run_id and o.kind = 'START')
      and not exists (select 1 from outbox o where o.run_id = r.run_id and o.kind = 'START' and o.acknowledged_at is null)`.execute(
    tx.db,
  );
  return rows[0]?.execution;
}

export async function openAmong(
  tx: StoreTransaction,
  runIds: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await sql<Columns<'runs', 'run_id'>>`
    select run_id from runs where run_id = any(${runIds}) and status in ${OPEN}`.execute(tx.db);
  return rows.map((row) => row.run_id);
}

/** The next open runs in the order of their ids that were not touched for so many seconds. */
export async function openAfter(
  tx: StoreTransaction,
  after: string,
  { olderThanS, most }: { readonly olderThanS: number; readonly most: number },
): Promise<readonly string[]> {
  const { rows } = await sql<Columns<'runs', 'run_id'>>`
    select run_id from runs where status in ${OPEN} and run_id > ${after}
      and updated_at < now() - make_interval(secs => ${olderThanS})
    order by run_id limit ${most}`.execute(tx.db);
  return rows.map((row) => row.run_id);
}
