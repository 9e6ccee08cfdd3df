// The inbox of an org as it changes: lines in the order of their commits, from a position. A
// position says everything about what a reader has been given, so that any process can go on there
// with nothing lost and nothing twice.

import { sql } from 'kysely';
import type { PauseKind } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';
import { howManyFit, readCalls } from './run-lists.ts';
import type { CallRecord, RecordedDecision } from './call-record.ts';
import type { RunRecord } from './run-record.ts';

/**
 * A reader is first given what waits as of the line `head`, and has it up to the line `given` of
 * it; then every line after `head`. Both are equal once the first part is through.
 */
export interface InboxPosition {
  readonly head: number;
  readonly given: number;
}

export interface InboxLine {
  readonly kind: 'WAITING' | 'DECIDED';
  /** The reader's position once it has this line. */
  readonly position: InboxPosition;
  readonly at: Date;
  readonly run: RunRecord;
  /** As it is now, within the pause that the line is about. */
  readonly call: CallRecord;
  /** Of a DECIDED line that a decision was the cause of; a cancelled run has none. */
  readonly decision: RecordedDecision | null;
}

export interface InboxLines {
  readonly lines: readonly InboxLine[];
  readonly position: InboxPosition;
  readonly more: boolean;
}

interface Row {
  readonly seq: number;
  readonly kind: InboxLine['kind'];
  readonly runId: string;
  readonly callId: string;
  readonly pauseId: string;
  readonly pauseKind: PauseKind;
  readonly at: Date;
  readonly decision: RecordedDecision | null;
  readonly bytesSoFar: number;
}

export interface InboxHead {
  readonly seq: number;
  /** Lines up to here may be gone. */
  readonly deletedThrough: number;
  readonly nextExpiryInMs: number | null;
}

export async function readInboxHead(tx: StoreTransaction, orgId: string): Promise<InboxHead> {
  const { rows } = await sql<InboxHead>`
    select coalesce(max(h.seq), 0) as seq, coalesce(max(h.deleted_through), 0) as "deletedThrough",
      (select (extract(epoch from min(c.expires_at) - clock_timestamp()) * 1000)::float8 from calls c
        where c.org_id = ${orgId} and c.pause_id is not null) as "nextExpiryInMs"
    from inbox_heads h where h.org_id = ${orgId}`.execute(tx.db);
  return rows[0] ?? { seq: 0, deletedThrough: 0, nextExpiryInMs: null };
}

export async function readInbox(
  tx: StoreTransaction,
  orgId: string,
  from: InboxPosition,
  limit: number,
): Promise<InboxLines> {
  const { rows: read } = await sql<Row>`
    select l.*, (sum(bytes) over (order by seq))::float8 as "bytesSoFar" from (
      select l.seq, l.kind, l.run_id as "runId", l.call_id as "callId", l.pause_id as "pauseId", p.kind as "pauseKind", l.at,
        octet_length(c.arguments) + coalesce(octet_length(c.evidence), 0) as bytes,
        case when l.kind = 'DECIDED' and d.call_id is not null then jsonb_build_object('action', d.action, 'by', d.deciders, 'at',
          to_char(d.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'reason', d.reason,
          'proposedArguments', d.proposed_arguments) end as decision
      from inbox_lines l join pauses p on p.pause_id = l.pause_id join calls c on c.call_id = l.call_id
        left join decisions d on d.call_id = l.call_id and d.pause_id = l.pause_id
      where l.org_id = ${orgId} and (l.seq > ${from.head} or (l.seq > ${from.given} and l.kind = 'WAITING' and not exists (
        select 1 from inbox_lines left_since where left_since.call_id = l.call_id and left_since.pause_id = l.pause_id
          and left_since.kind = 'DECIDED' and left_since.seq <= ${from.head})))
      order by l.seq limit ${limit}) l
    order by seq`.execute(tx.db);
  const rows = read.slice(0, howManyFit(read));
  const runs = await readCalls(
    tx,
    orgId,
    rows.map((row) => row.callId),
  );
  const lines = rows.flatMap(({ seq, kind, runId, callId, pauseId, pauseKind, at, decision }) => {
    const run = runs.get(runId);
    const call = run?.calls.find((c) => c.callId === callId);
    if (run === undefined || call === undefined) return []; // deleted since, with its session
    const position = positionAfter(from, seq);
    return [{ kind, position, at, run, call: { ...call, pauseId, pauseKind }, decision }];
  });
  const last = rows.at(-1);
  const more = read.length === limit || rows.length < read.length;
  // What was to be given of the first part has been: from here on it is every line.
  const reached = last === undefined ? from : positionAfter(from, last.seq);
  return { lines, position: more ? reached : { ...reached, given: reached.head }, more };
}

const positionAfter = ({ head }: InboxPosition, seq: number): InboxPosition => ({
  head: Math.max(head, seq),
  given: seq,
});

/** Runs of the org with calls whose time is over and that still wait. */
export async function runsWithExpired(
  tx: StoreTransaction,
  orgId: string,
): Promise<readonly { readonly runId: string; readonly pauseId: string }[]> {
  const { rows } = await sql<{ runId: string; pauseId: string }>`
    select distinct c.run_id as "runId", c.pause_id as "pauseId" from calls c
    where c.org_id = ${orgId} and c.pause_id is not null and c.expires_at <= clock_timestamp() limit ${EXPIRED_AT_ONCE}`.execute(
    tx.db,
  );
  return rows;
}

/** Each is a transaction of its own; the rest follows at once. */
const EXPIRED_AT_ONCE = 100;
