// Taking a document in, as the worker does it: what to read, its passages piece by piece, and the
// one transaction that makes it searchable. Every step finds what an earlier attempt left. A
// document that was deleted meanwhile is GONE to all of them.

import { sql } from 'kysely';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { deletePassages } from './upkeep.ts';

export interface ToTakeIn {
  readonly documentId: string;
  readonly orgId: string;
  readonly baseKey: string;
  readonly title: string;
  readonly url: string | null;
  readonly mediaType: string | null;
  readonly fileName: string | null;
  /** Set once all passages are stored. */
  readonly passages: number;
  readonly file: { readonly packed: boolean; readonly bytes: Uint8Array } | null;
}

export interface NewPassage {
  readonly n: number;
  /** From the outermost to the innermost, a line each. */
  readonly headings: string;
  readonly body: string;
  /** What is searched of the headings and of the body: words with spaces between. */
  readonly headingWords: string;
  readonly bodyWords: string;
}

/** What begins the lexeme that names a passage's base; no word holds a colon. */
const baseLexeme = (baseKey: string): string => `base:${baseKey}`;
export const passageIdOf = (documentId: string, n: number): string =>
  `pas_${documentId.replace(/^doc_/, '')}_${n}`;

/** undefined: deleted, or settled by an earlier attempt. */
export async function readToTakeIn(
  tx: StoreTransaction,
  documentId: string,
  options: { readonly withFile: boolean },
): Promise<ToTakeIn | undefined> {
  const { rows } = await sql<
    Omit<ToTakeIn, 'file'> & { packed: boolean | null; bytes: Uint8Array | null }
  >`
    select d.document_id as "documentId", d.org_id as "orgId", d.base_key as "baseKey", d.title, d.url, d.media_type as "mediaType",
      d.file_name as "fileName", d.passages, f.packed, f.bytes
    from knowledge_documents d left join knowledge_files f on f.document_id = d.document_id and ${options.withFile}
    where d.document_id = ${documentId} and d.status = 'PROCESSING' and d.deleted_at is null`.execute(
    tx.db,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { packed, bytes, ...document } = row;
  return {
    ...document,
    file: packed === null || bytes === null ? null : { packed, bytes },
  };
}

/** Under a lock that a deletion waits for; false: it is gone. */
async function stillWanted(tx: StoreTransaction, documentId: string): Promise<boolean> {
  const { rows } = await sql`select 1 from knowledge_documents
    where document_id = ${documentId} and status = 'PROCESSING' and deleted_at is null for no key update`.execute(
    tx.db,
  );
  return rows.length > 0;
}

/** What was fetched is kept, so that a repeated attempt splits the same bytes. */
export async function keepFetchedFile(
  tx: StoreTransaction,
  doc: Pick<ToTakeIn, 'documentId' | 'orgId'>,
  fetched: {
    readonly mediaType: string;
    readonly fileName: string;
    readonly hash: string;
    readonly packed: boolean;
    readonly bytes: Uint8Array;
  },
): Promise<boolean> {
  if (!(await stillWanted(tx, doc.documentId))) return false;
  await sql`update knowledge_documents set media_type = ${fetched.mediaType}, file_name = ${fetched.fileName}, content_hash = ${fetched.hash}
    where document_id = ${doc.documentId}`.execute(tx.db);
  await sql`insert into knowledge_files (document_id, org_id, packed, bytes)
    values (${doc.documentId}, ${doc.orgId}, ${fetched.packed}, ${Buffer.from(fetched.bytes)}) on conflict do nothing`.execute(
    tx.db,
  );
  return true;
}

export async function keepPassages(
  tx: StoreTransaction,
  doc: Pick<ToTakeIn, 'documentId' | 'orgId' | 'baseKey'>,
  language: string,
  passages: readonly NewPassage[],
  progress: number,
): Promise<boolean> {
  if (!(await stillWanted(tx, doc.documentId))) return false;
  const rows = passages.map((p) => ({ ...p, id: passageIdOf(doc.documentId, p.n) }));
  const base = baseLexeme(doc.baseKey);
  await sql`
    insert into knowledge_passages (passage_id, org_id, base_key, document_id, n, headings, body, words)
    select p->>'id', ${doc.orgId}, ${doc.baseKey}, ${doc.documentId}, (p->>'n')::int, p->>'headings', p->>'body',
      array_to_tsvector(array[${base}]) || setweight(to_tsvector(${language}::regconfig, p->>'headingWords'), 'B')
        || to_tsvector(${language}::regconfig, p->>'bodyWords')
    from jsonb_array_elements(${JSON.stringify(rows)}::jsonb) p
    on conflict do nothing`.execute(tx.db);
  await advance(tx, doc.documentId, progress);
  return true;
}

/** All passages are stored. */
export async function noteSplit(
  tx: StoreTransaction,
  documentId: string,
  split: { readonly title: string | null; readonly language: string; readonly passages: number },
): Promise<boolean> {
  if (!(await stillWanted(tx, documentId))) return false;
  await sql`update knowledge_documents set passages = ${split.passages}, language = ${split.language},
      title = coalesce(${split.title}::text, title)
    where document_id = ${documentId}`.execute(tx.db);
  return true;
}

/** What is shown of the way that is done; it never goes back. */
export async function advance(
  tx: StoreTransaction,
  documentId: string,
  progress: number,
): Promise<void> {
  await sql`update knowledge_documents set progress = greatest(progress, ${progress}::real)
    where document_id = ${documentId} and status = 'PROCESSING'`.execute(tx.db);
}

/**
 * The language that full text reads the document in: its own where that could be told, else that of
 * most of its base. `known` are those that may be told; the database may lack some.
 */
export async function languageFor(
  tx: StoreTransaction,
  { baseKey }: Pick<ToTakeIn, 'baseKey'>,
  own: string | undefined,
  known: readonly string[],
  otherwise: string,
): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select c.cfgname as name from pg_ts_config c left join lateral (
      select count(*) as n from knowledge_documents d
      where d.base_key = ${baseKey} and d.language = c.cfgname and d.status = 'READY' and d.deleted_at is null) ready on true
    where c.cfgname = any(${[...known]}) and (c.cfgname = ${own ?? null} or ready.n > 0)
    order by c.cfgname = ${own ?? ''} desc, ready.n desc, c.cfgname limit 1`.execute(tx.db);
  return rows[0]?.name ?? otherwise;
}

/**
 * Searchable from here on. What it replaces is deleted in the same transaction: the same content,
 * and what was given earlier under its external id. One that was overtaken by a later one under its
 * external id goes instead.
 */
export async function publishDocument(tx: StoreTransaction, documentId: string): Promise<boolean> {
  const { rows: keys } = await sql<{ base_key: string }>`
    select base_key from knowledge_documents where document_id = ${documentId}`.execute(tx.db);
  // Two documents of one external id that are ready at the same instant come one after the other.
  await sql`select 1 from knowledge_bases where base_key = ${keys[0]?.base_key ?? ''} for no key update`.execute(
    tx.db,
  );
  if (!(await stillWanted(tx, documentId))) return false;
  await sql`update knowledge_documents set status = 'READY', progress = 1 where document_id = ${documentId}`.execute(
    tx.db,
  );
  await sql`delete from knowledge_files where document_id = ${documentId}`.execute(tx.db);
  await sql`
    update knowledge_documents o set deleted_at = clock_timestamp()
    from knowledge_documents d
    where d.document_id = ${documentId} and o.base_key = d.base_key and o.deleted_at is null and (
      (o.document_id <> d.document_id and o.status = 'READY' and (
        (d.external_id is not null and o.external_id = d.external_id and o.given < d.given)
        or (d.external_id is null and o.external_id is null and o.content_hash = d.content_hash)))
      or (o.document_id = d.document_id and exists (select 1 from knowledge_documents l
        where l.base_key = d.base_key and l.external_id = d.external_id and l.given > d.given and l.status = 'READY' and l.deleted_at is null)))`.execute(
    tx.db,
  );
  const { rows } = await sql<{ org_id: string; passages: number }>`
    select org_id, passages from knowledge_documents where document_id = ${documentId}`.execute(
    tx.db,
  );
  audit(tx, {
    orgId: rows[0]?.org_id ?? '',
    actor: 'holdpoint',
    action: 'document.ready',
    data: { documentId, passages: rows[0]?.passages },
  });
  return true;
}

/** False while passages are left: they are taken away piece by piece before it is said. */
export async function failDocument(
  tx: StoreTransaction,
  documentId: string,
  error: { readonly code: string; readonly message: string },
): Promise<boolean> {
  if (!(await stillWanted(tx, documentId))) return true;
  if (await deletePassages(tx, documentId)) return false;
  await sql`delete from knowledge_files where document_id = ${documentId}`.execute(tx.db);
  const { rows } = await sql<{ org_id: string }>`
    update knowledge_documents set status = 'FAILED', error_code = ${error.code}, error_message = ${error.message}, passages = 0
    where document_id = ${documentId} returning org_id`.execute(tx.db);
  audit(tx, {
    orgId: rows[0]?.org_id ?? '',
    actor: 'holdpoint',
    action: 'document.failed',
    data: { documentId, code: error.code },
  });
  return true;
}
