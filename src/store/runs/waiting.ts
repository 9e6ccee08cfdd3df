// A run whose model is away: since when, what is wrong, how often it was asked since. The wait is of
// one turn; it ends with the turn's reply, or with the run.

import { sql } from 'kysely';
import type { WaitingFor } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';
import { appendEvents } from '../events/events.ts';
import { addWaitingDeliveries } from '../webhooks/new-deliveries.ts';

export interface Waiting extends WaitingFor {
  readonly turn: number;
  /** Attempts that were made while it waits. */
  readonly tries: number;
}

/** The first time it is an event of the stream as well; the run's row is locked. */
export async function noteWaiting(
  tx: StoreTransaction,
  runId: string,
  waiting: Waiting,
): Promise<void> {
  const text = JSON.stringify(waiting);
  // Nothing is changed by this very transaction played again: it was announced the first time.
  const noted = await sql`update runs set waiting = ${text}::jsonb
    where run_id = ${runId} and waiting is distinct from ${text}::jsonb returning run_id`.execute(
    tx.db,
  );
  const { what, since, lastProblem, turn } = waiting;
  if (waiting.tries > 0 || noted.rows.length === 0) return;
  appendEvents(tx, runId, [{ kind: 'WAITING', turn, data: { what, since, lastProblem } }]);
  addWaitingDeliveries(tx, runId, { what, since, lastProblem });
}

/** The model answers again: readers need not wait for it any more. */
export async function endWaiting(tx: StoreTransaction, runId: string): Promise<void> {
  await sql`update runs set waiting = null where run_id = ${runId} and waiting is not null`.execute(
    tx.db,
  );
}
