// What runs have used, by day in UTC of their start. Of runs that are kept: a deleted session takes
// its part with it.

import { sql } from 'kysely';
import type { UsageDay } from '../../contract/lists.ts';
import type { StoreTransaction } from '../database/access.ts';
import { allOf } from './run-lists.ts';
import type { Viewer } from './visibility.ts';

export interface UsageFilter {
  readonly userId?: string | undefined;
  readonly agentId?: string | undefined;
  /** Inclusive. */
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
}

const SUMS = sql`count(*) as runs,
  sum(prompt_tokens)::bigint as "promptTokens", sum(completion_tokens)::bigint as "completionTokens",
  sum(prompt_tokens + completion_tokens)::bigint as "totalTokens", sum(active_ms)::bigint as "activeMs"`;

/**
 * Days with runs, oldest first. Of the viewer himself, or with `admin` of his org. Active time is
 * written when a run settles.
 */
export async function readUsage(
  tx: StoreTransaction,
  viewer: Viewer,
  f: UsageFilter,
): Promise<readonly UsageDay[]> {
  const where = allOf([
    sql`org_id = ${viewer.orgId} and created_at >= ${f.from} and created_at < ${f.to}`,
    viewer.scopes.has('admin') ? undefined : sql`user_id = ${viewer.subject}`,
    f.userId === undefined ? undefined : sql`user_id = ${f.userId}`,
    f.agentId === undefined ? undefined : sql`agent_id = ${f.agentId}`,
  ]);
  const { rows } = await sql<UsageDay>`
    select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') as date, ${SUMS}
    from runs where ${where} group by 1 order by 1`.execute(tx.db);
  return rows;
}

export interface OrgUsage extends Omit<UsageDay, 'date'> {
  readonly orgId: string;
}

/** Of every org with runs that began in that time, the largest first: for who runs the service. */
export async function readUsageByOrg(
  tx: StoreTransaction,
  { from, to }: Pick<UsageFilter, 'from' | 'to'>,
): Promise<readonly OrgUsage[]> {
  const { rows } = await sql<OrgUsage>`
    select org_id as "orgId", ${SUMS} from runs
    where created_at >= ${from} and created_at < ${to} group by 1 order by "totalTokens" desc, 1`.execute(
    tx.db,
  );
  return rows;
}
