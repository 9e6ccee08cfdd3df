// What is still to be done about documents, whoever finds it: workflows to start and to cancel, and
// the passages of what was deleted, taken away piece by piece. The rows themselves say what; leases
// keep processes from doing the same.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import { vectorsThere } from './vectors.ts';

/** Longer than a start with its retries takes. */
const LEASE_SECONDS = 10;
/** Some tens of milliseconds: nothing else waits long for it on the embedded database. */
const PASSAGES_AT_ONCE = 500;

export interface ToDo {
  readonly documentId: string;
  readonly orgId: string;
  /** PROCESSING and never started: START. Deleted: PURGE. */
  readonly what: 'START' | 'PURGE';
  /** Its workflow was started and not cancelled yet. */
  readonly underWay: boolean;
}

/** `lease` is made before the transaction: played again, it finds what it has leased. */
export async function leaseToDo(
  tx: StoreTransaction,
  most: number,
  lease: string,
): Promise<readonly ToDo[]> {
  const { rows } = await sql<ToDo>`
    update knowledge_documents set claimed_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS}), claimed_by = ${lease}
    where document_id in (
      select document_id from knowledge_documents
      where ((status = 'PROCESSING' and started_at is null) or deleted_at is not null)
        and (claimed_until is null or claimed_until < clock_timestamp() or claimed_by = ${lease})
      order by created_at limit ${most} for update skip locked)
    returning document_id as "documentId", org_id as "orgId", case when deleted_at is null then 'START' else 'PURGE' end as what,
      started_at is not null and cancelled_at is null as "underWay"`.execute(tx.db);
  return rows;
}

/** Its workflow is there. */
export async function noteStarted(tx: StoreTransaction, documentId: string): Promise<void> {
  await sql`update knowledge_documents set started_at = coalesce(started_at, clock_timestamp()), claimed_until = null
    where document_id = ${documentId}`.execute(tx.db);
}

/** Its workflow is not there any more: it is started anew. */
export async function startAgain(tx: StoreTransaction, documentId: string): Promise<void> {
  await sql`update knowledge_documents set started_at = null
    where document_id = ${documentId} and status = 'PROCESSING' and deleted_at is null`.execute(
    tx.db,
  );
}

/** Its workflow was asked to end, or is gone. */
export async function noteCancelled(tx: StoreTransaction, documentId: string): Promise<void> {
  await sql`update knowledge_documents set cancelled_at = coalesce(cancelled_at, clock_timestamp()) where document_id = ${documentId}`.execute(
    tx.db,
  );
}

/** Given back, to be looked at again after a second. */
export async function giveBack(tx: StoreTransaction, documentId: string): Promise<void> {
  await sql`update knowledge_documents set claimed_until = clock_timestamp() + interval '1 second'
    where document_id = ${documentId}`.execute(tx.db);
}

/** Some passages of a document, with their vectors; false: there were none. */
export async function deletePassages(tx: StoreTransaction, documentId: string): Promise<boolean> {
  if (await vectorsThere(tx))
    await sql`delete from knowledge_vectors where passage_id in (
      select passage_id from knowledge_passages where document_id = ${documentId} order by n limit ${PASSAGES_AT_ONCE})`.execute(
      tx.db,
    );
  const gone = await sql`delete from knowledge_passages where passage_id in (
    select passage_id from knowledge_passages where document_id = ${documentId} order by n limit ${PASSAGES_AT_ONCE}) returning 1`.execute(
    tx.db,
  );
  return gone.rows.length > 0;
}

/** A step of taking a deleted document away; true: nothing of it is left. */
export async function purgeDocument(tx: StoreTransaction, documentId: string): Promise<boolean> {
  if (await deletePassages(tx, documentId)) return false;
  const { rows } = await sql<{ base_key: string }>`
    delete from knowledge_documents where document_id = ${documentId} and deleted_at is not null returning base_key`.execute(
    tx.db,
  );
  const baseKey = rows[0]?.base_key;
  if (baseKey !== undefined) await deleteEmptyBases(tx, baseKey);
  return true;
}

/** Deleted bases that hold nothing any more; of one key, or all. */
export async function deleteEmptyBases(
  tx: StoreTransaction,
  baseKey: string | null = null,
): Promise<void> {
  await sql`delete from knowledge_bases b where b.deleted_at is not null and (${baseKey}::text is null or b.base_key = ${baseKey})
    and not exists (select 1 from knowledge_documents d where d.base_key = b.base_key)`.execute(
    tx.db,
  );
}

/** Started ones that are not settled, the longest unseen first, and marked as seen. */
export async function openDocuments(
  tx: StoreTransaction,
  { olderThanS, most }: { readonly olderThanS: number; readonly most: number },
): Promise<readonly string[]> {
  const { rows } = await sql<{ document_id: string }>`
    update knowledge_documents set looked_at = clock_timestamp() where document_id in (
      select document_id from knowledge_documents
      where status = 'PROCESSING' and deleted_at is null and started_at < clock_timestamp() - make_interval(secs => ${olderThanS})
      order by looked_at nulls first limit ${most} for update skip locked)
    returning document_id`.execute(tx.db);
  return rows.map((row) => row.document_id);
}
