// Everything that is kept of one user's conversations, for who erases it.

import { sql } from 'kysely';
import { OPEN } from './open-runs.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';

/** Runs of the user that are not over, oldest first. */
export async function openRunsOfUser(
  tx: StoreTransaction,
  orgId: string,
  userId: string,
  most: number,
): Promise<readonly string[]> {
  const { rows } = await sql<Columns<'runs', 'run_id'>>`
    select run_id from runs where org_id = ${orgId} and user_id = ${userId} and status in ${OPEN}
    order by created_at, run_id limit ${most}`.execute(tx.db);
  return rows.map((row) => row.run_id);
}

export async function sessionsOfUser(
  tx: StoreTransaction,
  orgId: string,
  userId: string,
  most: number,
): Promise<readonly string[]> {
  const { rows } = await sql<Columns<'sessions', 'session_id'>>`
    select session_id from sessions where org_id = ${orgId} and user_id = ${userId}
    order by created_at, session_id limit ${most}`.execute(tx.db);
  return rows.map((row) => row.session_id);
}
