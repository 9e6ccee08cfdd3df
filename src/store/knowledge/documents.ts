// Documents of a base as callers see them: given, listed, read, deleted. How one is taken in is
// take-in.ts's.

import { sql } from 'kysely';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { listed, type Listed, type PageWanted } from '../queries/run-lists.ts';

export type DocumentStatus = 'PROCESSING' | 'READY' | 'FAILED';

export interface DocumentRecord {
  readonly documentId: string;
  readonly title: string;
  readonly status: DocumentStatus;
  readonly progress: number;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly externalId: string | null;
  readonly createdAt: Date;
}

/** Of a file, its bytes; of an address, where it is. */
export type DocumentContent =
  | {
      readonly kind: 'FILE';
      readonly mediaType: string;
      readonly fileName: string;
      /** SHA-256 of the bytes as they came. */
      readonly hash: string;
      /** `packed`: with gzip. */
      readonly packed: boolean;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'URL'; readonly url: string };

export interface NewDocument {
  readonly documentId: string;
  readonly orgId: string;
  readonly baseKey: string;
  readonly title: string;
  readonly externalId: string | null;
  readonly createdBy: string;
  readonly content: DocumentContent;
}

const COLUMNS = sql`document_id as "documentId", title, status, progress::float8 as progress, error_code as "errorCode",
  error_message as "errorMessage", external_id as "externalId", created_at as "createdAt"`;

export interface Given {
  readonly document: DocumentRecord;
  /** False: the same content is there already, or on its way. */
  readonly taken: boolean;
}

/** undefined: the base is gone. */
export async function giveDocument(
  tx: StoreTransaction,
  doc: NewDocument,
): Promise<Given | undefined> {
  const base = await sql`select 1 from knowledge_bases
    where base_key = ${doc.baseKey} and deleted_at is null for key share`.execute(tx.db);
  if (base.rows.length === 0) return undefined;
  const standing = await sameContent(tx, doc);
  if (standing !== undefined)
    return { document: standing, taken: standing.documentId === doc.documentId };
  const { content } = doc;
  const file = content.kind === 'FILE' ? content : undefined;
  const { rows } = await sql<DocumentRecord>`
    insert into knowledge_documents (document_id, org_id, base_key, title, external_id, url, media_type, file_name, content_hash, created_by)
    values (${doc.documentId}, ${doc.orgId}, ${doc.baseKey}, ${doc.title}, ${doc.externalId},
      ${content.kind === 'URL' ? content.url : null}, ${file?.mediaType ?? null}, ${file?.fileName ?? null}, ${file?.hash ?? null}, ${doc.createdBy})
    returning ${COLUMNS}`.execute(tx.db);
  if (file !== undefined)
    await sql`insert into knowledge_files (document_id, org_id, packed, bytes)
      values (${doc.documentId}, ${doc.orgId}, ${file.packed}, ${Buffer.from(file.bytes)})`.execute(
      tx.db,
    );
  audit(tx, {
    orgId: doc.orgId,
    actor: doc.createdBy,
    action: 'document.given',
    data: { documentId: doc.documentId },
  });
  const [document] = rows;
  return document && { document, taken: true };
}

/**
 * The document that stands for this content: this very one, played again; with an external id, the
 * last one given under it; without, any.
 */
async function sameContent(
  tx: StoreTransaction,
  { documentId, baseKey, externalId, content }: NewDocument,
): Promise<DocumentRecord | undefined> {
  const hash = content.kind === 'FILE' ? content.hash : null;
  const { rows } = await sql<DocumentRecord>`
    select ${COLUMNS} from knowledge_documents where document_id = ${documentId}
    union all
    (select ${COLUMNS} from knowledge_documents d
      where d.base_key = ${baseKey} and d.content_hash = ${hash} and d.deleted_at is null and d.status <> 'FAILED'
        and d.external_id is not distinct from ${externalId}::text
        and (d.external_id is null or d.given = (select max(l.given) from knowledge_documents l
          where l.base_key = d.base_key and l.external_id = d.external_id and l.deleted_at is null and l.status <> 'FAILED'))
      order by d.given desc limit 1)`.execute(tx.db);
  return rows[0];
}

/** Newest first. */
export async function listDocuments(
  tx: StoreTransaction,
  baseKey: string,
  page: PageWanted,
): Promise<Listed<DocumentRecord>> {
  const after =
    page.after === undefined
      ? sql``
      : sql`and (created_at, document_id) < (${page.after.at}::timestamptz, ${page.after.ids[0]}::text)`;
  const { rows } = await sql<DocumentRecord>`
    select ${COLUMNS} from knowledge_documents where base_key = ${baseKey} and deleted_at is null ${after}
    order by created_at desc, document_id desc limit ${page.limit + 1}`.execute(tx.db);
  return listed(rows, page, (d) => ({ at: d.createdAt, ids: [d.documentId] }));
}

export async function findDocument(
  tx: StoreTransaction,
  baseKey: string,
  documentId: string,
): Promise<DocumentRecord | undefined> {
  const { rows } = await sql<DocumentRecord>`
    select ${COLUMNS} from knowledge_documents
    where base_key = ${baseKey} and document_id = ${documentId} and deleted_at is null`.execute(
    tx.db,
  );
  return rows[0];
}

/** Not found any more from here on; upkeep.ts cancels what is under way and takes the rest away. */
export async function deleteDocument(
  tx: StoreTransaction,
  orgId: string,
  baseKey: string,
  documentId: string,
  actor: string,
): Promise<void> {
  const gone = await sql`update knowledge_documents set deleted_at = clock_timestamp()
    where base_key = ${baseKey} and document_id = ${documentId} and deleted_at is null returning 1`.execute(
    tx.db,
  );
  if (gone.rows.length > 0)
    audit(tx, { orgId, actor, action: 'document.deleted', data: { documentId } });
}
