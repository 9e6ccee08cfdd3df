// How many requests users and orgs have made, as all processes of the API count them. Each process
// writes what it has counted itself, and reads what the others have.

import { sql } from 'kysely';
import type { StoreTransaction } from './database/access.ts';

export interface RequestCount {
  readonly orgId: string;
  readonly who: string;
  /** Minutes since 1970. */
  readonly minute: number;
  /** All of this process in that minute. */
  readonly used: number;
}

export interface OthersCounts {
  /** The database's clock, on which processes agree; undefined where nothing was given. */
  readonly nowMs: number | undefined;
  /** Of the other processes, for each user and org that was given, in the order given. */
  readonly counts: readonly { readonly now: number; readonly before: number }[];
}

/** `counts`: at most one of a minute for each user and org. */
export async function countRequests(
  tx: StoreTransaction,
  process: string,
  counts: readonly RequestCount[],
): Promise<OthersCounts> {
  const list = JSON.stringify(
    counts.map(({ orgId, who, minute, used }, place) => ({ orgId, who, minute, used, place })),
  );
  const given = sql`jsonb_to_recordset(${list}::jsonb) as g("orgId" text, who text, minute bigint, used bigint, place int)`;
  tx.write(sql`insert into request_counts (org_id, who, minute, process, used)
    select g."orgId", g.who, g.minute, ${process}::uuid, g.used from ${given}
    on conflict (org_id, who, minute, process) do update set used = excluded.used`);
  const { rows } = await sql<{ nowMs: number; now: number; before: number }>`
    select extract(epoch from clock_timestamp())::float8 * 1000 as "nowMs",
      coalesce(sum(c.used) filter (where c.minute = g.minute), 0)::float8 as now,
      coalesce(sum(c.used) filter (where c.minute = g.minute - 1), 0)::float8 as before
    from ${given} left join request_counts c on c.org_id = g."orgId" and c.who = g.who
      and c.minute in (g.minute, g.minute - 1) and c.process <> ${process}::uuid
    group by g.place order by g.place`.execute(tx.db);
  return { nowMs: rows[0]?.nowMs, counts: rows };
}

/** What no quota goes by any more. */
export async function forgetRequests(tx: StoreTransaction): Promise<void> {
  await sql`delete from request_counts
    where minute < floor(extract(epoch from clock_timestamp()) / 60) - 1`.execute(tx.db);
}
