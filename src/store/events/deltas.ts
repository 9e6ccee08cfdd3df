// Deltas of models, as they are stored: in chunks of a tenth of a second, each with the position that
// a reader has reached with it. All deltas of an attempt are stored before its reply is, or with
// it, so that no later event of the run can come before them.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import { appendEvent, HIDDEN } from './events.ts';
import type { Delta } from './live-deltas.ts';

/**
 * Written again after a lost reply it finds itself; where the chunks were cut otherwise then,
 * readers skip what they have.
 */
export function appendDeltas(
  tx: StoreTransaction,
  runId: string,
  orgId: string,
  deltas: readonly Delta[],
): void {
  if (deltas.length === 0) return;
  tx.write(sql`
    insert into deltas (run_id, org_id, seq, chunk_offset, kind, text, at)
    select ${runId}, ${orgId}, (d->>'seq')::bigint, (d->>'offset')::bigint, d->>'kind', d->>'text', (d->>'at')::timestamptz
    from jsonb_array_elements(${JSON.stringify(deltas)}::jsonb) d
    on conflict do nothing`);
}

/**
 * What a RETRY says: the last frame before the first attempt at that turn. What came after it is
 * void.
 */
export async function keepThrough(
  tx: StoreTransaction,
  runId: string,
  turn: number,
): Promise<string> {
  const { rows } = await sql<{ seq: number }>`
    select coalesce(max(seq), 0) as seq from events where run_id = ${runId} and kind <> all(${HIDDEN}) and seq < (
      select min(seq) from events where run_id = ${runId} and turn = ${turn} and kind in ('ATTEMPT', 'RETRY'))`.execute(
    tx.db,
  );
  return `${rows[0]?.seq ?? 0}.0`;
}

/**
 * In the transaction that records a reply, where a later attempt at the turn has begun to speak
 * meanwhile: the reply that counts is sent once more, after that one's text. Else a reader would
 * be left with those.
 */
export async function repeatReply(
  tx: StoreTransaction,
  runId: string,
  turn: number,
  attemptSeq: number,
): Promise<void> {
  const seq = await appendEvent(tx, runId, {
    kind: 'RETRY',
    turn,
    data: { keepThrough: await keepThrough(tx, runId, turn) },
  });
  tx.write(sql`
    insert into deltas (run_id, org_id, seq, chunk_offset, kind, text, at)
    select run_id, org_id, ${seq}, chunk_offset, kind, text, clock_timestamp() from deltas
    where run_id = ${runId} and seq = ${attemptSeq}`);
}
