// Vectors of passages, where the database has pgvector: one a passage, of the model that made it.
// Those of different models are never compared. Made beside the migrations, since an extension may
// be installed long after them.

import { sql, type Kysely } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import type { Tables } from '../database/tables.ts';
import type { DatabaseKind } from '../database/database.ts';
import { protectTable } from '../database/migrations/tenant-policies.ts';
import { FIXED_SEARCH_PATHS } from '../database/migrations/0065-words-of-one-org.ts';

/** Iterative index scans came with 0.8: without them a filtered search loses results. */
const OLDEST = [0, 8];
/** The longest that pgvector indexes; longer ones are compared one by one. */
const INDEXED_DIMENSIONS = 2000;

const TABLE = `
create extension if not exists vector;
create table knowledge_vectors (
  passage_id text primary key references knowledge_passages on delete cascade,
  org_id text not null,
  base_key text not null,
  document_id text not null,
  model text not null,
  dims int not null,
  embedding vector not null
);
create index knowledge_vectors_by_base on knowledge_vectors (base_key, model, dims);
create index knowledge_vectors_by_document on knowledge_vectors (document_id);
${protectTable('knowledge_vectors', 'select, insert, update, delete')}`;

// The number of dimensions is the model's, so the index is made when the first vector of so many
// comes. By the owner of the table: the service may not. The embedded database has none: adding to
// such an index takes it twenty milliseconds a vector, and comparing ten thousand one by one takes
// as long as a search may.
const indexFunction = (kind: DatabaseKind): string => `
create function holdpoint_index_vectors(wanted int) returns void
language plpgsql security definer set search_path from current as $$
begin
  ${
    kind === 'pglite'
      ? 'return;'
      : `if wanted between 1 and ${INDEXED_DIMENSIONS} and to_regclass('knowledge_vectors_' || wanted) is null then
    perform pg_advisory_xact_lock(hashtext('knowledge_vectors'));
    execute format('create index if not exists %I on knowledge_vectors using hnsw ((embedding::vector(%s)) vector_cosine_ops) where dims = %s',
      'knowledge_vectors_' || wanted, wanted, wanted);
  end if;`
  }
end $$;
revoke all on function holdpoint_index_vectors from public;
grant execute on function holdpoint_index_vectors to holdpoint_service;`;

/** Makes the table where the database can have it; several processes may do it at once. */
export async function setUpVectors(db: {
  readonly kind: DatabaseKind;
  readonly kysely: Kysely<Tables>;
}): Promise<void> {
  if (!(await canHave(db.kysely))) return;
  try {
    await db.kysely.transaction().execute(async (tx) => {
      await sql`select pg_advisory_xact_lock(hashtext('knowledge_vectors'))`.execute(tx);
      if (await isThere(tx)) return;
      await sql.raw(TABLE + indexFunction(db.kind) + FIXED_SEARCH_PATHS).execute(tx);
    });
  } catch (error) {
    // The role may not create extensions: searches go by words alone until somebody does.
    if ((error as { code?: unknown }).code !== '42501') throw error;
  }
}

async function canHave(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ version: string }>`
    select coalesce(installed_version, default_version) as version from pg_available_extensions where name = 'vector'`.execute(
    db,
  );
  const [major = 0, minor = 0] = (rows[0]?.version ?? '').split('.').map(Number);
  return major > (OLDEST[0] ?? 0) || minor >= (OLDEST[1] ?? 0);
}

async function isThere(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ there: boolean }>`
    select to_regclass('knowledge_vectors') is not null as there`.execute(db);
  return rows[0]?.there === true;
}

export const vectorsThere = (tx: StoreTransaction): Promise<boolean> => isThere(tx.db);

export interface PassageToEmbed {
  readonly passageId: string;
  readonly orgId: string;
  readonly baseKey: string;
  readonly documentId: string;
  readonly title: string;
  readonly headings: string;
  readonly body: string;
}

const TO_EMBED = sql`p.passage_id as "passageId", p.org_id as "orgId", p.base_key as "baseKey", p.document_id as "documentId",
  d.title, p.headings, p.body`;

/** Of one document, without a vector of the model, from the `from`th passage on. */
export async function passagesToEmbed(
  tx: StoreTransaction,
  documentId: string,
  model: string,
  most: number,
): Promise<readonly PassageToEmbed[]> {
  const { rows } = await sql<PassageToEmbed>`
    select ${TO_EMBED} from knowledge_passages p join knowledge_documents d using (document_id)
    where p.document_id = ${documentId} and d.status = 'PROCESSING' and d.deleted_at is null
      and not exists (select 1 from knowledge_vectors v where v.passage_id = p.passage_id and v.model = ${model})
    order by p.n limit ${most}`.execute(tx.db);
  return rows;
}

/** Of documents that are searched, after `after`, in the order of their ids. */
export async function passagesOfOtherModels(
  tx: StoreTransaction,
  model: string,
  after: string,
  most: number,
): Promise<readonly PassageToEmbed[]> {
  const { rows } = await sql<PassageToEmbed>`
    select ${TO_EMBED} from knowledge_passages p join knowledge_documents d using (document_id)
    where p.passage_id > ${after} and d.status = 'READY' and d.deleted_at is null
      and not exists (select 1 from knowledge_vectors v where v.passage_id = p.passage_id and v.model = ${model})
    order by p.passage_id limit ${most}`.execute(tx.db);
  return rows;
}

/** How many passages that are searched have no vector of the model. */
export async function countWithoutVector(tx: StoreTransaction, model: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from knowledge_passages p join knowledge_documents d using (document_id)
    where d.status = 'READY' and d.deleted_at is null
      and not exists (select 1 from knowledge_vectors v where v.passage_id = p.passage_id and v.model = ${model})`.execute(
    tx.db,
  );
  return rows[0]?.n ?? 0;
}

/** A vector of another model is replaced. Passages that are gone are left out. */
export async function keepVectors(
  tx: StoreTransaction,
  model: string,
  vectors: readonly { readonly passageId: string; readonly values: readonly number[] }[],
): Promise<void> {
  const dims = vectors[0]?.values.length;
  if (dims === undefined) return;
  await sql`select holdpoint_index_vectors(${dims})`.execute(tx.db);
  await sql`
    insert into knowledge_vectors (passage_id, org_id, base_key, document_id, model, dims, embedding)
    select p.passage_id, p.org_id, p.base_key, p.document_id, ${model}, ${dims}, v.embedding::vector
    from unnest(${vectors.map((v) => v.passageId)}::text[], ${vectors.map((v) => JSON.stringify(v.values))}::text[]) v(passage_id, embedding)
      join knowledge_passages p on p.passage_id = v.passage_id
    on conflict (passage_id) do update set model = excluded.model, dims = excluded.dims, embedding = excluded.embedding`.execute(
    tx.db,
  );
}

export interface WantedVector {
  readonly model: string;
  readonly values: readonly number[];
}

/**
 * The nearest passages of the bases, best first. The index gives nearest ones of all bases, and
 * goes on until enough of them are of these (an iterative scan); where it gives up before, all
 * vectors of the bases are compared.
 */
export async function nearestPassages(
  tx: StoreTransaction,
  orgId: string,
  baseKeys: readonly string[],
  { model, values }: WantedVector,
  most: number,
): Promise<readonly string[]> {
  const dims = values.length;
  const wanted = JSON.stringify(values);
  const typed = sql.raw(`vector(${dims})`);
  await sql`select set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '100', true)`.execute(
    tx.db,
  );
  const where = sql`v.dims = ${sql.lit(dims)} and v.model = ${model} and v.org_id = ${orgId} and v.base_key = any(${[...baseKeys]})
    and d.status = 'READY' and d.deleted_at is null`;
  const from = sql`from knowledge_vectors v join knowledge_documents d using (document_id)`;
  const near = sql`v.embedding::${typed} <=> ${wanted}::${typed}`;
  // Relaxed order: near enough for the choice, put right after it.
  const indexed = await sql<{ passage_id: string }>`
    with near as materialized (
      select v.passage_id, ${near} as distance ${from} where ${where} order by ${near} limit ${sql.lit(most)})
    select passage_id from near order by distance, passage_id`.execute(tx.db);
  if (indexed.rows.length >= most || dims > INDEXED_DIMENSIONS)
    return indexed.rows.map((row) => row.passage_id);
  const all = await sql<{ passage_id: string }>`
    select v.passage_id ${from} where ${where} order by v.embedding <=> ${wanted}::vector, v.passage_id limit ${sql.lit(most)}`.execute(
    tx.db,
  );
  return all.rows.map((row) => row.passage_id);
}
