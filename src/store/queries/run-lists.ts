// Lists of runs and of calls that wait for a vote, for a caller, a page at a time. A page goes on
// where the one before ended, by the time and id of its last item, so that what comes in meanwhile
// moves nothing.

import { sql, type RawBuilder } from 'kysely';
import type { RunStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import { readRuns, type CallRecord, type RunRecord } from './run-record.ts';
import { mayVoteOn, visibleTo, type Viewer } from './visibility.ts';

/**
 * Where a page begins: after the item of this time and these ids. Times have milliseconds, as the
 * columns they are compared with.
 */
export interface After {
  readonly at: Date;
  readonly ids: readonly string[];
}

export interface PageWanted {
  readonly limit: number;
  readonly after?: After | undefined;
}

export interface Listed<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
  /** Of the last item, where there are more. */
  readonly next: After | undefined;
}

/** Takes a page out of one row more than it has. */
export function listed<T>(
  rows: readonly T[],
  { limit }: PageWanted,
  placeOf: (row: T) => After,
): Listed<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const hasMore = rows.length > limit;
  return { items, hasMore, next: hasMore && last !== undefined ? placeOf(last) : undefined };
}

export const allOf = (
  conditions: readonly (RawBuilder<unknown> | undefined)[],
): RawBuilder<unknown> =>
  sql.join(
    conditions.filter((condition) => condition !== undefined),
    sql` and `,
  );

export interface RunFilter {
  readonly sessionId?: string | undefined;
  readonly agentId?: string | undefined;
  /** In one of these states. */
  readonly status?: readonly RunStatus[] | undefined;
  readonly userId?: string | undefined;
  readonly requestId?: string | undefined;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
}

/** Newest first. */
export async function listRuns(
  tx: StoreTransaction,
  viewer: Viewer,
  f: RunFilter,
  page: PageWanted,
): Promise<Listed<RunRecord>> {
  const where = allOf([
    visibleTo(viewer),
    f.sessionId === undefined ? undefined : sql`r.session_id = ${f.sessionId}`,
    f.agentId === undefined ? undefined : sql`r.agent_id = ${f.agentId}`,
    f.status === undefined ? undefined : sql`r.status = any(${f.status})`,
    f.userId === undefined ? undefined : sql`r.user_id = ${f.userId}`,
    f.requestId === undefined ? undefined : sql`r.request_id = ${f.requestId}`,
    f.from === undefined ? undefined : sql`r.created_at >= ${f.from}`,
    f.to === undefined ? undefined : sql`r.created_at < ${f.to}`,
    page.after &&
      sql`(r.created_at, r.run_id) < (${page.after.at}::timestamptz, ${page.after.ids[0]}::text)`,
  ]);
  const runs = await readRuns(
    tx,
    where,
    sql`order by r.created_at desc, r.run_id desc limit ${page.limit + 1}`,
  );
  return listed(runs, page, (run) => ({ at: run.createdAt, ids: [run.runId] }));
}

/** How many runs that the viewer may see are in each state. */
export async function countRuns(
  tx: StoreTransaction,
  viewer: Viewer,
  f: Pick<RunFilter, 'agentId' | 'userId'>,
): Promise<Readonly<Record<RunStatus, number>>> {
  const where = allOf([
    visibleTo(viewer),
    f.agentId === undefined ? undefined : sql`r.agent_id = ${f.agentId}`,
    f.userId === undefined ? undefined : sql`r.user_id = ${f.userId}`,
  ]);
  const { rows } = await sql<{ status: RunStatus; runs: number }>`
    select r.status, count(*)::int as runs from runs r where ${where} group by r.status`.execute(
    tx.db,
  );
  const none = { QUEUED: 0, RUNNING: 0, PAUSED: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0 };
  return { ...none, ...Object.fromEntries(rows.map(({ status, runs }) => [status, runs])) };
}

export interface WaitingCall {
  readonly run: RunRecord;
  readonly call: CallRecord;
}

interface WaitingPlace {
  readonly callId: string;
  readonly runId: string;
  readonly turn: number;
  readonly idx: number;
  readonly requestedAt: Date;
}

/**
 * Open calls that the viewer, who holds `runs:approve`, may vote on; oldest first, those of one
 * pause in the order of the run's `pending`. Those whose time is over do not wait any more.
 */
export async function listWaiting(
  tx: StoreTransaction,
  viewer: Viewer,
  { agentId }: { readonly agentId?: string | undefined },
  page: PageWanted,
): Promise<Listed<WaitingCall>> {
  const where = allOf([
    sql`c.org_id = ${viewer.orgId} and r.status = 'PAUSED' and c.pause_id = r.pause_id`,
    sql`(c.expires_at is null or c.expires_at > clock_timestamp())`,
    mayVoteOn(viewer),
    agentId === undefined ? undefined : sql`r.agent_id = ${agentId}`,
    page.after &&
      sql`(c.requested_at, c.run_id, c.turn, c.idx) > (${page.after.at}::timestamptz, ${page.after.ids[0]}::text,
        ${page.after.ids[1]}::int, ${page.after.ids[2]}::int)`,
  ]);
  const { rows } = await sql<WaitingPlace>`
    select c.call_id as "callId", c.run_id as "runId", c.turn, c.idx, c.requested_at as "requestedAt"
    from calls c join runs r on r.run_id = c.run_id join agent_snapshots s using (revision)
    where ${where} order by c.requested_at, c.run_id, c.turn, c.idx limit ${page.limit + 1}`.execute(
    tx.db,
  );
  const places = listed(rows, page, ({ requestedAt, runId, turn, idx }) => ({
    at: requestedAt,
    ids: [runId, String(turn), String(idx)],
  }));
  if (places.items.length === 0) return { ...places, items: [] };
  const ids = [...new Set(places.items.map((place) => place.runId))];
  const runs = new Map(
    (await readRuns(tx, sql`r.run_id = any(${ids})`)).map((run) => [run.runId, run]),
  );
  // Between the two statements somebody may have decided: such a call waits no more.
  const items = places.items.flatMap(({ runId, callId }) => {
    const run = runs.get(runId);
    const call = run?.calls.find(
      (c) => c.callId === callId && c.pauseId !== null && c.pauseId === run.pauseId,
    );
    return run === undefined || call === undefined ? [] : [{ run, call }];
  });
  return { ...places, items };
}
