// The audit of one org, in the order in which it was written.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';

export interface AuditEntry {
  readonly id: number;
  readonly at: Date;
  readonly orgId: string;
  readonly runId: string | null;
  readonly actor: string;
  readonly action: string;
  readonly data: unknown;
}

export interface AuditWanted {
  readonly orgId: string;
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
  /** The last id that was read; 0 at first. */
  readonly after: number;
  readonly most: number;
}

export async function readAuditLines(
  tx: StoreTransaction,
  { orgId, from, to, after, most }: AuditWanted,
): Promise<readonly AuditEntry[]> {
  const { rows } = await sql<AuditEntry>`
    select id, at, org_id as "orgId", run_id as "runId", actor, action, data from audit
    where id > ${after} and org_id = ${orgId} and at >= ${from} and at < ${to}
    order by id limit ${most}`.execute(tx.db);
  return rows;
}
