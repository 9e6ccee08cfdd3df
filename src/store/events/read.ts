// The record of a run as its readers take it: events and deltas in one order, after a position, in
// one statement and so from one moment.

import { sql } from 'kysely';
import type { Position } from '../../contract/position.ts';
import { isTerminal, type RunStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import { PAGE_MAX_BYTES } from '../queries/run-lists.ts';
import { HIDDEN, type EventKind } from './events.ts';
import { unseenPart, type Delta, type DeltaKind } from './live-deltas.ts';

export interface EventLine {
  readonly kind: EventKind;
  readonly seq: number;
  readonly turn: number;
  readonly at: Date;
  readonly data: Readonly<Record<string, unknown>>;
}
export type Line = EventLine | Delta;

export const isDelta = (line: Line): line is Delta =>
  line.kind === 'CONTENT' || line.kind === 'REASONING';
export const positionOf = (line: Line): Position => ({
  seq: line.seq,
  offset: isDelta(line) ? line.offset : 0,
});

interface Row {
  readonly seq: number;
  readonly offset: number;
  readonly kind: EventKind | DeltaKind;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly text: string | null;
  readonly turn: number;
  readonly at: Date;
}

export interface LinesWanted {
  readonly after: Position;
  readonly limit: number;
  /** Without what is no frame: a page counts frames, a stream has to know how far it came. */
  readonly framesOnly: boolean;
}

/**
 * In order; `more`: these need not be the last for now. The first delta may be the rest of a stored
 * chunk. A page ends early where its lines are long.
 */
export async function readLines(
  tx: StoreTransaction,
  runId: string,
  wanted: LinesWanted,
): Promise<{ lines: readonly Line[]; more: boolean }> {
  let position = wanted.after;
  const lines: Line[] = [];
  let bytes = 0;
  for (;;) {
    const limit = Math.min(
      wanted.limit - lines.length,
      wanted.framesOnly ? LINES_AT_ONCE : Infinity,
    );
    const rows = await readRows(tx, runId, { ...wanted, after: position, limit });
    for (const row of rows) {
      const line = lineOf(row, position);
      if (line === undefined) continue;
      position = positionOf(line);
      lines.push(line);
    }
    const more = rows.length === limit;
    if (!wanted.framesOnly || !more || lines.length >= wanted.limit) return { lines, more };
    bytes += Buffer.byteLength(JSON.stringify(rows));
    if (bytes > PAGE_MAX_BYTES / 2) return { lines, more };
  }
}

/** Of a page: an event may come to 256 KiB, and what is read in vain is at most as many. */
const LINES_AT_ONCE = 8;

async function readRows(
  tx: StoreTransaction,
  runId: string,
  { after, limit, framesOnly }: LinesWanted,
): Promise<readonly Row[]> {
  const hidden = framesOnly ? sql`and kind <> all(${HIDDEN})` : sql``;
  const { rows } = await sql<Row>`
    select * from (
      (select seq, 0::bigint as "offset", kind, data, null as text, turn, at from events
        where run_id = ${runId} and seq > ${after.seq} ${hidden} order by seq limit ${limit})
      union all
      (select d.seq, d.chunk_offset, d.kind, null, d.text, e.turn, d.at from deltas d join events e on e.run_id = d.run_id and e.seq = d.seq
        where d.run_id = ${runId} and (d.seq, d.chunk_offset) > (${after.seq}::bigint, ${after.offset}::bigint)
        order by d.seq, d.chunk_offset limit ${limit})
    ) line order by seq, "offset" limit ${limit}`.execute(tx.db);
  return rows;
}

function lineOf(
  { seq, offset, kind, data, text, turn, at }: Row,
  position: Position,
): Line | undefined {
  if (kind === 'CONTENT' || kind === 'REASONING')
    return unseenPart({ seq, offset, kind, text: text ?? '', turn, at }, position);
  return { kind, seq, turn, at, data: data ?? {} };
}

export interface RecordState {
  /** Seq of the run's last event. */
  readonly last: number;
  /** That one ended the run. */
  readonly ended: boolean;
  /** Retention has deleted what the run ended with, and all before it. */
  readonly gone: boolean;
}

export async function readRecordState(
  tx: StoreTransaction,
  runId: string,
): Promise<RecordState | undefined> {
  const { rows } = await sql<{ status: RunStatus; last: number; there: boolean }>`
    select status, event_seq as last, exists (select 1 from events e where e.run_id = r.run_id) as there
    from runs r where run_id = ${runId}`.execute(tx.db);
  const row = rows[0];
  return row && { last: row.last, ended: isTerminal(row.status), gone: !row.there };
}
