// A session as callers see it, its conversation, and deleting it. It belongs to (org, user, id):
// two users of an org may have the same id, and then one's own is meant unless the user is named.

import { sql } from 'kysely';
import { OPEN } from './open-runs.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';
import { audit } from '../audit.ts';
import { deleteFromTemporal } from '../outbox.ts';
import {
  allOf,
  listed,
  PAGE_MAX_BYTES,
  type Listed,
  type PageWanted,
} from '../queries/run-lists.ts';
import { CUT_TEXT_CHARS } from '../queries/run-record.ts';
import { exchangeVisibleTo, sessionVisibleTo, type Viewer } from '../queries/visibility.ts';

export interface SessionRecord {
  readonly sessionId: string;
  readonly agentId: string;
  readonly userId: string;
  readonly orgId: string;
  readonly runCount: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = sql`s.session_id::text as "sessionId", s.agent_id as "agentId", s.user_id as "userId", s.org_id as "orgId",
  s.run_count as "runCount", s.created_at as "createdAt", s.updated_at as "updatedAt"`;

export interface SessionFilter {
  readonly userId?: string | undefined;
  readonly agentId?: string | undefined;
}

/** Newest first. */
export async function listSessions(
  tx: StoreTransaction,
  viewer: Viewer,
  f: SessionFilter,
  page: PageWanted,
): Promise<Listed<SessionRecord>> {
  const where = allOf([
    sessionVisibleTo(viewer),
    f.userId === undefined ? undefined : sql`s.user_id = ${f.userId}`,
    f.agentId === undefined ? undefined : sql`s.agent_id = ${f.agentId}`,
    page.after &&
      sql`(s.created_at, s.session_id, s.user_id) < (${page.after.at}::timestamptz, ${page.after.ids[0]}::uuid, ${page.after.ids[1]}::text)`,
  ]);
  const { rows } = await sql<SessionRecord>`select ${COLUMNS} from sessions s where ${where}
    order by s.created_at desc, s.session_id desc, s.user_id desc limit ${page.limit + 1}`.execute(
    tx.db,
  );
  return listed(rows, page, (row) => ({ at: row.createdAt, ids: [row.sessionId, row.userId] }));
}

export interface SessionName {
  readonly sessionId: string;
  readonly userId?: string | undefined;
}

/** undefined: there is none, or none that he may see. */
export async function findSession(
  tx: StoreTransaction,
  viewer: Viewer,
  { sessionId, userId }: SessionName,
): Promise<SessionRecord | undefined> {
  const { rows } = await sql<SessionRecord>`select ${COLUMNS} from sessions s
    where ${sessionVisibleTo(viewer)} and s.session_id = ${sessionId} and ${userId === undefined ? sql`true` : sql`s.user_id = ${userId}`}
    order by s.user_id = ${viewer.subject} desc, s.created_at, s.user_id limit 1`.execute(tx.db);
  return rows[0];
}

export interface ExchangeRecord {
  readonly runId: string;
  readonly question: string;
  readonly askedAt: Date;
  readonly answer: string;
  readonly answeredAt: Date;
  /** The texts may go on. */
  readonly cut: boolean;
}

/**
 * Completed exchanges, as the model is shown them: without follow-ups. Only those that the viewer
 * may read. The newest ones whole, as far as a page goes; of older ones each text begins.
 */
export async function readConversation(
  tx: StoreTransaction,
  viewer: Viewer,
  s: SessionRecord,
): Promise<readonly ExchangeRecord[]> {
  const { rows } = await sql<ExchangeRecord>`
    select "runId", case when fits then question else left(question, ${sql.lit(CUT_TEXT_CHARS + 1)}) end as question, "askedAt",
      case when fits then answer else left(answer, ${sql.lit(CUT_TEXT_CHARS + 1)}) end as answer, "answeredAt", not fits as cut
    from (select m.run_id as "runId", m.input as question, m.created_at as "askedAt", t.text as answer, m.closed_at as "answeredAt", m.session_seq,
        sum(octet_length(m.input) + octet_length(t.text)) over (order by m.session_seq desc) <= ${sql.lit((PAGE_MAX_BYTES * 3) / 4)} as fits
      from runs m join turns t on t.run_id = m.run_id and t.kind = 'ANSWER'
      where m.org_id = ${s.orgId} and m.user_id = ${s.userId} and m.session_id = ${s.sessionId} and m.status = 'COMPLETED'
        and ${exchangeVisibleTo(viewer)}) m order by session_seq`.execute(tx.db);
  return rows;
}

export type Deleted =
  | { readonly kind: 'DELETED' | 'NOT_THERE' | 'FORBIDDEN' }
  | { readonly kind: 'OPEN'; readonly runIds: readonly string[] };

/**
 * Its user, or an admin. Runs, turns, calls, votes, events and deltas go with their run, and so
 * does what Temporal has of it; audit lines stay, and so do idempotency keys (a late repetition must
 * not start the conversation anew) and outbox lines that Temporal has not taken yet.
 */
export async function deleteSession(
  tx: StoreTransaction,
  viewer: Viewer,
  name: SessionName,
): Promise<Deleted> {
  const found = await findSession(tx, viewer, name);
  if (found === undefined) return { kind: 'NOT_THERE' };
  if (found.userId !== viewer.subject && !viewer.scopes.has('admin')) return { kind: 'FORBIDDEN' };
  const { orgId, userId, sessionId } = found;
  const session = sql`org_id = ${orgId} and user_id = ${userId} and session_id = ${sessionId}`;
  // The lock by itself, what is decided read after it: a start in between takes the same lock.
  await sql`select 1 from sessions where ${session} for update`.execute(tx.db);
  const { rows: open } = await sql<Columns<'runs', 'run_id'>>`
    select run_id from runs where ${session} and status in ${OPEN} order by session_seq`.execute(
    tx.db,
  );
  if (open.length > 0) return { kind: 'OPEN', runIds: open.map((run) => run.run_id) };
  const { rows: runs } = await sql<
    Columns<'runs', 'run_id'>
  >`delete from runs where ${session} returning run_id`.execute(tx.db);
  await sql`delete from sessions where ${session}`.execute(tx.db);
  for (const { run_id: runId } of runs) {
    deleteFromTemporal(tx, orgId, runId);
    audit(tx, {
      orgId,
      runId,
      actor: viewer.subject,
      action: 'run.deleted',
      data: { sessionId, userId },
    });
  }
  return { kind: 'DELETED' };
}
