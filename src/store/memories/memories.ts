// Memories: facts about one user of one org. The rule of what is one fact is facts.ts's; a lock on
// the user makes it come out the same whoever comes first.

import { sql } from 'kysely';
import { estimateTokens } from '../../models/estimate-tokens.ts';
import { sha256Hex } from '../../json/canonical.ts';
import { wordsOf } from '../../knowledge/words.ts';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { listed, type Listed, type PageWanted } from '../queries/run-lists.ts';
import { factOf, replaces, type Fact } from './facts.ts';

export const MEMORIES_MAX = 10_000;

export interface MemoryRecord {
  readonly memoryId: string;
  readonly userId: string;
  readonly content: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface NewMemory {
  readonly memoryId: string;
  readonly orgId: string;
  readonly userId: string;
  readonly content: string;
  readonly createdBy: string;
  /** Of the run that remembers it. */
  readonly runId?: string;
}

export type Kept =
  /** `replaced`: those that it took the place of. */
  | {
      readonly kind: 'KEPT';
      readonly memory: MemoryRecord;
      readonly replaced: readonly string[];
    }
  | { readonly kind: 'KNOWN'; readonly memory: MemoryRecord }
  /** Kept by this very call, and deleted since. */
  | { readonly kind: 'GONE' }
  | { readonly kind: 'FULL' };

const COLUMNS = sql`memory_id as "memoryId", user_id as "userId", content, created_at as "createdAt", updated_at as "updatedAt"`;

// English stems beside the words as they are: a memory is too short to tell its language by.
const indexed = (words: string) =>
  sql`(to_tsvector('simple', ${words}) || to_tsvector('english', ${words}))`;

const lockUser = (tx: StoreTransaction, orgId: string, userId: string) =>
  sql`select pg_advisory_xact_lock(hashtextextended(${`memories ${orgId} ${userId}`}, 0))`.execute(
    tx.db,
  );

export async function keepMemory(tx: StoreTransaction, memory: NewMemory): Promise<Kept> {
  const { memoryId, orgId, userId, content } = memory;
  await lockUser(tx, orgId, userId);
  const own = await readMemory(tx, orgId, memoryId);
  if (own !== undefined) return { kind: 'KEPT', memory: own, replaced: [] };
  if (memory.runId !== undefined && (await wasKept(tx, memory.runId, memoryId)))
    return { kind: 'GONE' };
  const fact = factOf(content);
  const near = await nearFacts(tx, orgId, userId, fact);
  const same = near.find((one) => one.fact === fact.fact);
  if (same !== undefined) {
    const { rows } = await sql<MemoryRecord>`
      update memories set updated_at = date_trunc('milliseconds', clock_timestamp())
      where memory_id = ${same.memoryId} returning ${COLUMNS}`.execute(tx.db);
    if (rows[0] !== undefined) return { kind: 'KNOWN', memory: rows[0] };
  }
  const replaced = near.filter((one) => replaces(fact, one));
  if (replaced.length === 0 && (await countMemories(tx, orgId, userId)) >= MEMORIES_MAX)
    return { kind: 'FULL' };
  await removeMemories(tx, memory, replaced, 'memory.replaced');
  const words = wordsOf(content).join(' ');
  const { rows } = await sql<MemoryRecord>`
    insert into memories (memory_id, org_id, user_id, content, fact, subject, words, created_by, run_id)
    values (${memoryId}, ${orgId}, ${userId}, ${content}, ${fact.fact}, ${fact.subject ?? null}, ${indexed(words)}, ${memory.createdBy}, ${memory.runId ?? null})
    returning ${COLUMNS}`.execute(tx.db);
  audit(tx, {
    orgId,
    ...(memory.runId === undefined ? {} : { runId: memory.runId }),
    actor: memory.createdBy,
    action: 'memory.kept',
    data: { memoryId, userId, hash: sha256Hex(content), replaced: replaced.map((r) => r.memoryId) },
  });
  const [made] = rows;
  if (made === undefined) throw new Error('a memory that was inserted is not there');
  return { kind: 'KEPT', memory: made, replaced: replaced.map((one) => one.memoryId) };
}

async function wasKept(tx: StoreTransaction, runId: string, memoryId: string): Promise<boolean> {
  const { rows } = await sql`select 1 from audit
    where run_id = ${runId} and action = 'memory.kept' and data->>'memoryId' = ${memoryId}`.execute(
    tx.db,
  );
  return rows.length > 0;
}

type NearFact = Fact & { readonly memoryId: string; readonly content: string };

/** Enough to find what is nine tenths the same. */
const NEAR = 10;

/** The same fact, those of its subject, and those that share most words with it. */
async function nearFacts(
  tx: StoreTransaction,
  orgId: string,
  userId: string,
  fact: Fact,
): Promise<readonly NearFact[]> {
  const words = [...new Set(fact.fact.split(' '))].slice(0, 100);
  const { rows } = await sql<Omit<NearFact, 'subject'> & { subject: string | null }>`
    select memory_id as "memoryId", content, fact, subject from memories
    where org_id = ${orgId} and user_id = ${userId} and md5(fact) = md5(${fact.fact})
    union
    select memory_id, content, fact, subject from memories
    where org_id = ${orgId} and user_id = ${userId} and md5(subject) = md5(${fact.subject ?? null})
    union
    (select memory_id, content, fact, subject from memories m
      where org_id = ${orgId} and user_id = ${userId} and ${words.length} >= 6
      order by (select count(*) from unnest(string_to_array(m.fact, ' ')) w where w = any(${words})) desc limit ${NEAR})`.execute(
    tx.db,
  );
  return rows.map((row) => ({ ...row, subject: row.subject ?? undefined }));
}

async function removeMemories(
  tx: StoreTransaction,
  by: Pick<NewMemory, 'orgId' | 'userId' | 'createdBy' | 'runId'>,
  gone: readonly { readonly memoryId: string; readonly content: string }[],
  action: 'memory.replaced' | 'memory.deleted',
): Promise<void> {
  for (const { memoryId, content } of gone) {
    await sql`delete from memories where memory_id = ${memoryId}`.execute(tx.db);
    audit(tx, {
      orgId: by.orgId,
      ...(by.runId === undefined ? {} : { runId: by.runId }),
      actor: by.createdBy,
      action,
      data: { memoryId, userId: by.userId, hash: sha256Hex(content) },
    });
  }
}

async function countMemories(tx: StoreTransaction, orgId: string, userId: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from memories where org_id = ${orgId} and user_id = ${userId}`.execute(
    tx.db,
  );
  return rows[0]?.n ?? 0;
}

export async function readMemory(
  tx: StoreTransaction,
  orgId: string,
  memoryId: string,
): Promise<MemoryRecord | undefined> {
  const { rows } = await sql<MemoryRecord>`
    select ${COLUMNS} from memories where org_id = ${orgId} and memory_id = ${memoryId}`.execute(
    tx.db,
  );
  return rows[0];
}

/** Newest first. */
export async function listMemories(
  tx: StoreTransaction,
  orgId: string,
  userId: string,
  page: PageWanted,
): Promise<Listed<MemoryRecord>> {
  const after =
    page.after === undefined
      ? sql``
      : sql`and (created_at, memory_id) < (${page.after.at}::timestamptz, ${page.after.ids[0]}::text)`;
  const { rows } = await sql<MemoryRecord>`
    select ${COLUMNS} from memories where org_id = ${orgId} and user_id = ${userId} ${after}
    order by created_at desc, memory_id desc limit ${page.limit + 1}`.execute(tx.db);
  return listed(rows, page, (m) => ({ at: m.createdAt, ids: [m.memoryId] }));
}

const WORDS_MAX = 48;

/** Those that share words with the question, rare words first; none where none does. */
export async function findMemories(
  tx: StoreTransaction,
  orgId: string,
  userId: string,
  question: string,
  limit: number,
): Promise<readonly MemoryRecord[]> {
  const words = [...new Set(wordsOf(question))].slice(0, WORDS_MAX).join(' ');
  const { rows } = await sql<MemoryRecord>`
    with lexemes as (
      -- Words that English leaves out say nothing; of the others, the word and its stem.
      select w.lexeme, quote_literal(w.lexeme)::tsquery as query from unnest(${indexed(words)}) w
      where to_tsvector('english', w.lexeme) <> ''::tsvector
    ), own as materialized (
      select ${COLUMNS}, words from memories where org_id = ${orgId} and user_id = ${userId}
    ), told as (
      select l.query, ln(1 + (select count(*) from own)::float8 / (0.5 + count(o."memoryId"))) as weight
      from lexemes l join own o on o.words @@ l.query group by l.query
    )
    select o."memoryId", o."userId", o.content, o."createdAt", o."updatedAt"
    from own o join lateral (select sum(t.weight) as score from told t where o.words @@ t.query) s on s.score > 0
    order by s.score desc, o."createdAt" desc, o."memoryId" limit ${limit}`.execute(tx.db);
  return rows;
}

/** Of a run's start: the nearest to its message, no more than may stand in a prompt. */
const AT_START = { count: 8, tokens: 1000 };

export async function memoriesForRun(
  tx: StoreTransaction,
  run: { readonly orgId: string; readonly userId: string },
  message: string,
): Promise<readonly { readonly memoryId: string; readonly content: string }[]> {
  const found = await findMemories(tx, run.orgId, run.userId, message, AT_START.count);
  let left = AT_START.tokens;
  return found.flatMap(({ memoryId, content }) => {
    const tokens = estimateTokens(content);
    if (tokens > left) return [];
    left -= tokens;
    return [{ memoryId, content }];
  });
}

export interface Forgetter {
  readonly orgId: string;
  readonly actor: string;
  readonly runId?: string;
}

/** Of that user; false: there is none. */
export async function deleteMemory(
  tx: StoreTransaction,
  { orgId, actor, runId }: Forgetter,
  userId: string,
  memoryId: string,
): Promise<boolean> {
  await lockUser(tx, orgId, userId);
  const memory = await readMemory(tx, orgId, memoryId);
  if (memory === undefined || memory.userId !== userId) return false;
  const by = { orgId, userId, createdBy: actor, ...(runId === undefined ? {} : { runId }) };
  await removeMemories(tx, by, [memory], 'memory.deleted');
  return true;
}

export async function deleteMemoriesOf(
  tx: StoreTransaction,
  { orgId, actor }: Forgetter,
  userId: string,
): Promise<void> {
  await lockUser(tx, orgId, userId);
  const { rows } = await sql<{ memoryId: string; content: string }>`
    delete from memories where org_id = ${orgId} and user_id = ${userId} returning memory_id as "memoryId", content`.execute(
    tx.db,
  );
  if (rows.length > 0)
    audit(tx, {
      orgId,
      actor,
      action: 'memory.all-deleted',
      data: { userId, hashes: rows.map((row) => sha256Hex(row.content)) },
    });
}
