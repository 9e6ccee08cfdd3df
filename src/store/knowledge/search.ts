// Finding passages: by words, rare ones first, and by vectors where they are given; two lists joined
// by reciprocal rank. Only documents that are READY, only bases that are named.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import { nearestPassages, type WantedVector } from './vectors.ts';

export interface Passage {
  readonly passageId: string;
  readonly documentId: string;
  readonly baseId: string;
  readonly title: string;
  /** From the outermost to the innermost, a line each. */
  readonly headings: string;
  readonly text: string;
  readonly score: number;
}

export interface Wanted {
  readonly orgId: string;
  readonly bases: readonly { readonly baseKey: string; readonly baseId: string }[];
  /** Words in lower case, each once. */
  readonly words: readonly string[];
  /** Of the question; undefined: by words alone. */
  readonly vector?: WantedVector | undefined;
  readonly limit: number;
}

/** Of each list: enough that what stands in both comes up. */
const LIST = 50;
/** What is taken of a list when two are joined: as is usual for reciprocal rank fusion. */
const RANK_CONSTANT = 60;
/** A question has a dozen words; a pasted page asks no better. */
const WORDS_MAX = 48;
/** Passages that are weighed: reading one and weighing it takes some fifteen microseconds. */
const WEIGHED = 500;
/** A word in more passages than these says little by itself. */
const COMMON = 400;

export async function searchPassages(
  tx: StoreTransaction,
  wanted: Wanted,
): Promise<readonly Passage[]> {
  if (wanted.bases.length === 0) return [];
  const byWords = await passagesByWords(tx, wanted);
  if (wanted.vector === undefined) return readPassages(tx, wanted, byWords.slice(0, wanted.limit));
  const keys = wanted.bases.map((base) => base.baseKey);
  const byVectors = await nearestPassages(tx, wanted.orgId, keys, wanted.vector, LIST);
  const joined = joinedByRank([byWords.map((found) => found.passageId), byVectors]);
  return readPassages(tx, wanted, joined.slice(0, wanted.limit));
}

interface Found {
  readonly passageId: string;
  readonly score: number;
}

/** Reciprocal rank fusion: lists are joined by places, whatever their scores mean. */
export function joinedByRank(lists: readonly (readonly string[])[]): readonly Found[] {
  const scores = new Map<string, number>();
  for (const list of lists)
    for (const [i, id] of list.entries())
      scores.set(id, (scores.get(id) ?? 0) + 1 / (RANK_CONSTANT + i + 1));
  return [...scores]
    .map(([passageId, score]) => ({ passageId, score }))
    .toSorted((a, b) => b.score - a.score || (a.passageId < b.passageId ? -1 : 1));
}

interface Lexeme {
  readonly lexeme: string;
  /** How many passages of the bases hold it, counted up to COMMON + 1. */
  readonly passages: number;
}

async function passagesByWords(
  tx: StoreTransaction,
  { orgId, bases, words }: Wanted,
): Promise<readonly Found[]> {
  const keys = bases.map((base) => base.baseKey);
  const text = words.slice(0, WORDS_MAX).join(' ');
  const { rows } = await sql<Lexeme & { total: number }>`
    with documents as materialized (
      select language, sum(passages) as n from knowledge_documents
      where org_id = ${orgId} and base_key = any(${keys}) and status = 'READY' and deleted_at is null group by language
    ), lexemes as (
      select array_agg(distinct w.lexeme) as all_of_them from documents d, unnest(to_tsvector(d.language::regconfig, ${text})) w
    )
    select c.lexeme, c.passages::int as passages, (select sum(n)::int from documents) as total
    from lexemes, holdpoint_count_words(${keys}::text[], lexemes.all_of_them, ${COMMON + 1}) c
    where c.passages > 0`.execute(tx.db);
  const candidates = candidatesOf(rows);
  if (candidates === undefined) return [];
  const total = rows[0]?.total ?? 0;
  const found = await sql<Found>`
    with found as materialized (
      select passage_id, words from holdpoint_find_words(${keys}::text[], ${candidates}::tsquery, ${WEIGHED})
    )
    select p.passage_id as "passageId", weighed.score from found
      join lateral (select sum(ts_rank('{0.1,0.1,0.15,0.15}', found.words, t.word, 1) * t.weight)::float8 as score
        from unnest(${rows.map((row) => quoted(row.lexeme))}::tsquery[], ${rows.map((row) => rarity(row, total))}::float8[]) t(word, weight)) weighed on true
      join knowledge_passages p on p.passage_id = found.passage_id
      join knowledge_documents d on d.document_id = p.document_id
    where p.org_id = ${orgId} and p.base_key = any(${keys}) and d.status = 'READY' and d.deleted_at is null
    order by weighed.score desc, p.document_id, p.n limit ${LIST}`.execute(tx.db);
  return found.rows;
}

/** Lexemes are letters and digits, so nothing in one ends the quotation. */
const quoted = (lexeme: string): string => `'${lexeme.replaceAll("'", "''")}'`;

/** How much a word tells: the fewer passages hold it, the more. */
const rarity = ({ passages }: Lexeme, total: number): number => {
  const n = passages > COMMON ? Math.max(passages, total / 4) : passages;
  return Math.log(1 + Math.max(0.5, total - n + 0.5) / (n + 0.5));
};

/**
 * Which passages are weighed: those with the rarest of the words, as many words as there is room
 * for. Where even the rarest is common, those that hold several.
 */
function candidatesOf(lexemes: readonly Lexeme[]): string | undefined {
  const byRarity = lexemes.toSorted((a, b) => a.passages - b.passages);
  const [rarest] = byRarity;
  if (rarest === undefined) return undefined;
  if (rarest.passages > COMMON && byRarity.length > 1) {
    const few = byRarity.slice(0, 4).map((one) => quoted(one.lexeme));
    return few.flatMap((a, i) => few.slice(i + 1).map((b) => `(${a} & ${b})`)).join(' | ');
  }
  let sum = 0;
  const taken = byRarity.filter(({ passages }, i) => {
    sum += passages;
    return i === 0 || sum <= WEIGHED;
  });
  return taken.map((one) => quoted(one.lexeme)).join(' | ');
}

async function readPassages(
  tx: StoreTransaction,
  { orgId, bases }: Wanted,
  found: readonly Found[],
): Promise<readonly Passage[]> {
  if (found.length === 0) return [];
  const { rows } = await sql<Omit<Passage, 'score' | 'baseId'> & { baseKey: string }>`
    select p.passage_id as "passageId", p.document_id as "documentId", p.base_key as "baseKey", d.title, p.headings, p.body as text
    from knowledge_passages p join knowledge_documents d using (document_id)
    where p.org_id = ${orgId} and p.passage_id = any(${found.map((f) => f.passageId)})`.execute(
    tx.db,
  );
  const byId = new Map(rows.map((row) => [row.passageId, row]));
  const idOf = new Map(bases.map((base) => [base.baseKey, base.baseId]));
  return found.flatMap(({ passageId, score }) => {
    const row = byId.get(passageId);
    if (row === undefined) return [];
    const { baseKey, ...passage } = row;
    return [{ ...passage, baseId: idOf.get(baseKey) ?? '', score }];
  });
}
