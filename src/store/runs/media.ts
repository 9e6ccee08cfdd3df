// Media of runs: stored once per org by their hash, referred to by runs, never in a history, an
// event or an answer.

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import { anyOf } from '../database/any-of.ts';

/** Checked by its giver: the bytes are of this type. */
export type NewMedia =
  | { readonly type: string; readonly bytes: Buffer; readonly sha256: string }
  | { readonly type: string; readonly url: string };

export interface StoredMedia {
  readonly runId: string;
  readonly idx: number;
  readonly type: string;
  /** null: not fetched yet. */
  readonly sha256: string | null;
  readonly url: string | null;
  readonly size: number;
}

export const contentHash = (bytes: Buffer): string =>
  createHash('sha256').update(bytes).digest('hex');

/** In the transaction that makes the run. */
export async function attachMedia(
  tx: StoreTransaction,
  run: { runId: string; orgId: string },
  given: readonly NewMedia[],
): Promise<void> {
  for (const [idx, item] of given.entries()) {
    if ('bytes' in item) await keep(tx, run.orgId, item.sha256, item.bytes);
    const [sha256, url] = 'bytes' in item ? [item.sha256, null] : [null, item.url];
    const { runId, orgId } = run;
    await tx.db
      .insertInto('run_media')
      .values({ run_id: runId, org_id: orgId, idx, type: item.type, url, sha256 })
      .execute();
  }
}

/** What a call gave beside its text. Its result is recorded once, and so are these. */
export interface KeptMedia {
  readonly type: string;
  readonly bytes: Buffer;
}

export async function attachToCall(
  tx: StoreTransaction,
  call: { readonly callId: string; readonly runId: string; readonly orgId: string },
  given: readonly KeptMedia[],
): Promise<void> {
  for (const [idx, { type, bytes }] of given.entries()) {
    const sha256 = contentHash(bytes);
    await keep(tx, call.orgId, sha256, bytes);
    await tx.db
      .insertInto('call_media')
      .values({ call_id: call.callId, run_id: call.runId, org_id: call.orgId, idx, type, sha256 })
      .onConflict((known) => known.doNothing())
      .execute();
  }
}

export interface CallMedia {
  readonly callId: string;
  readonly type: string;
  readonly sha256: string;
  readonly size: number;
}

/** Of a run's calls, the newest call first; without the bytes. */
export async function mediaOfCalls(
  tx: StoreTransaction,
  runId: string,
): Promise<readonly CallMedia[]> {
  const { rows } = await sql<CallMedia>`
    select k.call_id as "callId", k.type, k.sha256, length(m.bytes) as size
    from call_media k join calls c using (call_id) join media m on m.org_id = k.org_id and m.sha256 = k.sha256
    where k.run_id = ${runId} order by c.turn desc, c.idx desc, k.idx`.execute(tx.db);
  return rows;
}

async function keep(
  tx: StoreTransaction,
  orgId: string,
  sha256: string,
  bytes: Buffer,
): Promise<void> {
  await tx.db
    .insertInto('media')
    .values({ org_id: orgId, sha256, bytes })
    .onConflict((known) => known.doNothing())
    .execute();
}

/** What these runs refer to, in their order; without the bytes. */
export async function mediaOf(
  tx: StoreTransaction,
  runIds: readonly string[],
): Promise<readonly StoredMedia[]> {
  const { rows } = await sql<StoredMedia>`
    select r.run_id as "runId", r.idx, r.type, r.sha256, r.url, coalesce(length(m.bytes), 0) as size
    from run_media r left join media m on m.org_id = r.org_id and m.sha256 = r.sha256
    where r.run_id = any(${runIds}) order by r.run_id, r.idx`.execute(tx.db);
  return rows;
}

export async function mediaBytes(
  tx: StoreTransaction,
  orgId: string,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, Buffer>> {
  const rows = await tx.db
    .selectFrom('media')
    .select(['sha256', 'bytes'])
    .where('org_id', '=', orgId)
    .where('sha256', '=', anyOf(hashes))
    .execute();
  return new Map(rows.map((row) => [row.sha256, row.bytes]));
}

/** What an address gave. The first one is kept: every turn, and every later run, sees the same. */
export async function keepFetched(
  tx: StoreTransaction,
  at: { runId: string; orgId: string; idx: number },
  bytes: Buffer,
): Promise<void> {
  const sha256 = contentHash(bytes);
  await keep(tx, at.orgId, sha256, bytes);
  await tx.db
    .updateTable('run_media')
    .set({ sha256 })
    .where('run_id', '=', at.runId)
    .where('idx', '=', at.idx)
    .where('sha256', 'is', null)
    .execute();
}
