// Which Temporal namespace this database belongs to. Kept at the first start and compared at each:
// what one namespace does not know must never be concluded from another's answer.

import { sql } from 'kysely';
import type { StoreTransaction } from './database/access.ts';

export interface Counterpart {
  /** null where Temporal does not return it. */
  readonly clusterId: string | null;
  readonly namespace: string;
  readonly namespaceId: string | null;
}

export interface KeptCounterpart extends Counterpart {
  /**
   * When an operator confirmed that Temporal is another one, or an older state of itself: what it does
   * not know of runs of before then is true. 1970: never.
   */
  readonly since: Date;
}

/** Kept as the namespace where the next start is to keep what it meets. */
const TO_BE_MET = '';

/** undefined: it is to be kept at the next start. */
export async function readCounterpart(tx: StoreTransaction): Promise<KeptCounterpart | undefined> {
  const { rows } = await sql<KeptCounterpart>`
    select cluster_id as "clusterId", namespace, namespace_id as "namespaceId", since from temporal_counterpart
    where namespace <> ${TO_BE_MET}`.execute(tx.db);
  return rows[0];
}

/** Keeps it unless another process has kept one; the one that is kept. */
export async function keepCounterpart(
  tx: StoreTransaction,
  met: Counterpart,
): Promise<KeptCounterpart> {
  await sql`
    insert into temporal_counterpart (cluster_id, namespace, namespace_id, since)
    values (${met.clusterId}, ${met.namespace}, ${met.namespaceId}, to_timestamp(0))
    on conflict (one) do update set cluster_id = excluded.cluster_id, namespace = excluded.namespace,
      namespace_id = excluded.namespace_id where temporal_counterpart.namespace = ${TO_BE_MET}`.execute(
    tx.db,
  );
  const kept = await readCounterpart(tx);
  if (kept === undefined) throw new Error('the Temporal namespace that was kept is not there');
  return kept;
}

/**
 * Temporal is another one, or an older state of itself, from now on: the next start keeps what it
 * meets, and what Temporal does not know of earlier runs is then true.
 */
export async function forgetCounterpart(tx: StoreTransaction): Promise<void> {
  await sql`
    insert into temporal_counterpart (cluster_id, namespace, namespace_id, since)
    values (null, ${TO_BE_MET}, null, clock_timestamp())
    on conflict (one) do update set cluster_id = null, namespace = ${TO_BE_MET}, namespace_id = null,
      since = clock_timestamp()`.execute(tx.db);
}

/** True where this database has never been started with any Temporal and holds no run. */
export async function isNew(tx: StoreTransaction): Promise<boolean> {
  const { rows } = await sql<{ new: boolean }>`
    select not exists (select 1 from runs) and not exists (select 1 from temporal_counterpart) as new`.execute(
    tx.db,
  );
  return rows[0]?.new ?? false;
}
