// The stored record of a run: lines counted on the run's row under its lock (a database sequence
// commits out of order, and readers would lose lines). An event's id on a stream is
// `<seq>.<offset>`; deltas take their attempt's seq.

import { sql, type RawBuilder } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';

export type EventKind =
  | 'START'
  | 'ATTEMPT'
  | 'RETRY'
  | 'WAITING'
  | 'TOOL_START'
  | 'TOOL_END'
  | 'PAUSED'
  | 'RESUMED'
  | 'FOLLOW_UPS'
  | 'RETRIED'
  | 'STOP'
  | 'CANCELLED'
  | 'ERROR';

/** Kinds that no reader outside sees: marks for the order of what he does see. */
export const HIDDEN: readonly EventKind[] = ['ATTEMPT', 'RESUMED'];

/** Kinds with which the run's status changes so that those who wait for it have to be notified. */
const OF_STATUS: readonly EventKind[] = ['PAUSED', 'STOP', 'CANCELLED', 'ERROR'];

export interface NewEvent {
  readonly kind: EventKind;
  readonly turn: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Appends to a run whose row the transaction has locked. */
export function appendEvents(
  tx: StoreTransaction,
  runId: string,
  events: readonly NewEvent[],
): void {
  if (events.length > 0) tx.write(inserting(tx, runId, events));
}

/** The same, and the seq it was given. */
export async function appendEvent(
  tx: StoreTransaction,
  runId: string,
  event: NewEvent,
): Promise<number> {
  const { rows } = await inserting(tx, runId, [event]).execute(tx.db);
  const row = rows[0];
  if (row === undefined) throw new Error('an event is appended to a run that is gone');
  return row.seq;
}

function inserting(
  tx: StoreTransaction,
  runId: string,
  events: readonly NewEvent[],
): RawBuilder<{ seq: number }> {
  // No reader waits for an attempt to begin: its deltas are announced by themselves.
  if (events.some(({ kind }) => kind !== 'ATTEMPT'))
    tx.announce(runId, events.some(({ kind }) => OF_STATUS.includes(kind)) ? 'STATUS' : 'EVENTS');
  return sql<{ seq: number }>`
    with counted as (
      update runs set event_seq = event_seq + ${events.length} where run_id = ${runId} returning run_id, org_id, event_seq
    )
    insert into events (run_id, org_id, seq, kind, data, turn, at)
    select c.run_id, c.org_id, c.event_seq - ${events.length} + e.ord, e.event->>'kind', e.event->'data', (e.event->>'turn')::int, clock_timestamp()
    from counted c, jsonb_array_elements(${JSON.stringify(events)}::jsonb) with ordinality as e(event, ord)
    returning seq`;
}
