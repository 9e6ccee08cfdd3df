// The audit of one org, in the order in which it was written.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import { allOf, listed, type Listed, type PageWanted } from './run-lists.ts';

export interface AuditEntry {
  readonly id: number;
  readonly at: Date;
  readonly orgId: string;
  readonly runId: string | null;
  readonly actor: string;
  readonly action: string;
  readonly data: unknown;
}

const COLUMNS = sql`id, at, org_id as "orgId", run_id as "runId", actor, action, data`;

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
    select ${COLUMNS} from audit
    where id > ${after} and org_id = ${orgId} and at >= ${from} and at < ${to}
    order by id limit ${most}`.execute(tx.db);
  return rows;
}

export interface AuditFilter {
  readonly runId?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** Newest first. */
export async function listAudit(
  tx: StoreTransaction,
  orgId: string,
  f: AuditFilter,
  page: PageWanted,
): Promise<Listed<AuditEntry>> {
  const where = allOf([
    sql`org_id = ${orgId}`,
    f.runId === undefined ? undefined : sql`run_id = ${f.runId}`,
    f.actor === undefined ? undefined : sql`actor = ${f.actor}`,
    f.action === undefined ? undefined : sql`action = ${f.action}`,
    f.from && sql`at >= ${f.from}`,
    f.to && sql`at < ${f.to}`,
    page.after && sql`id < ${page.after.ids[0]}::bigint`,
  ]);
  const { rows } = await sql<AuditEntry>`
    select ${COLUMNS} from audit
    where ${where} order by id desc limit ${page.limit + 1}`.execute(tx.db);
  return listed(rows, page, ({ at, id }) => ({ at, ids: [String(id)] }));
}
