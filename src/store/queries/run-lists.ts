// Lists of runs and of calls that wait for a vote, for a caller, a page at a time. A page goes on
// where the one before ended, by the time and id of its last item, so that what comes in meanwhile
// moves nothing.

import { sql, type RawBuilder } from 'kysely';
import type { RunStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { CallRecord } from './call-record.ts';
import { readRuns, type RunRecord, type RunScope } from './run-record.ts';
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

/**
 * What a page comes to at most, as JSON: an item that is more than its share is cut, and a page
 * that is too long all the same ends before its `limit`.
 */
export const PAGE_MAX_BYTES = 4 * 2 ** 20;

/** Room for what JSON adds to texts. */
const itemMaxBytes = (limit: number): number => Math.floor((PAGE_MAX_BYTES * 3) / 4 / limit);
export const itemOf = (limit: number): RunScope => ({
  kind: 'ITEM',
  itemMaxBytes: itemMaxBytes(limit),
});

export interface Listed<T> {
  readonly items: readonly T[];
  /** The position of each item: a page may end behind any of them. */
  readonly places: readonly After[];
  readonly hasMore: boolean;
  /** Where all of them end; undefined where there are none. */
  readonly end: After | undefined;
}

/** Takes a page out of one row more than it has. */
export function listed<T>(
  rows: readonly T[],
  { limit }: PageWanted,
  placeOf: (row: T) => After,
): Listed<T> {
  const items = rows.slice(0, limit);
  const places = items.map(placeOf);
  return { items, places, hasMore: rows.length > limit, end: places.at(-1) };
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
    itemOf(page.limit),
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
  /** Of the page, this call included. */
  readonly bytesSoFar: number;
}

const placeOfWaiting = ({ requestedAt, runId, turn, idx }: WaitingPlace): After => ({
  at: requestedAt,
  ids: [runId, String(turn), String(idx)],
});

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
    select "callId", "runId", turn, idx, "requestedAt", (sum(bytes) over (order by "requestedAt", "runId", turn, idx))::float8 as "bytesSoFar" from (
      select c.call_id as "callId", c.run_id as "runId", c.turn, c.idx, c.requested_at as "requestedAt",
        octet_length(c.arguments) + coalesce(octet_length(c.evidence), 0) as bytes
      from calls c join runs r on r.run_id = c.run_id join agent_snapshots s using (revision)
      where ${where} order by c.requested_at, c.run_id, c.turn, c.idx limit ${page.limit + 1}) c
    order by "requestedAt", "runId", turn, idx`.execute(tx.db);
  const limit = Math.min(page.limit, howManyFit(rows));
  const { items: places, ...rest } = listed(rows, { limit }, placeOfWaiting);
  const runs = await readCalls(
    tx,
    viewer.orgId,
    places.map((place) => place.callId),
  );
  // A decision may have come between the two statements: such a call waits no more.
  const items = places.flatMap((place) => {
    const run = runs.get(place.runId);
    const call = run?.calls.find(
      (c) => c.callId === place.callId && c.pauseId !== null && c.pauseId === run.pauseId,
    );
    return run === undefined || call === undefined ? [] : [{ run, call, place }];
  });
  return { ...rest, items, places: items.map(({ place }) => placeOfWaiting(place)) };
}

/** Of rows in order; the first one always does. */
export const howManyFit = (rows: readonly { readonly bytesSoFar: number }[]): number =>
  Math.max(1, rows.filter(({ bytesSoFar }) => bytesSoFar <= PAGE_MAX_BYTES).length);

/** The runs that have these calls, by id, with these calls alone. */
export async function readCalls(
  tx: StoreTransaction,
  orgId: string,
  callIds: readonly string[],
): Promise<ReadonlyMap<string, RunRecord>> {
  if (callIds.length === 0) return new Map();
  const which = sql`c.call_id = any(${callIds})`;
  const runs = await readRuns(
    tx,
    sql`r.org_id = ${orgId} and r.run_id in (select run_id from calls c where ${which})`,
    sql``,
    { kind: 'CALLS', which },
  );
  return new Map(runs.map((run) => [run.runId, run]));
}
