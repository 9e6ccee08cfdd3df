// A record that is older than what its workflow has seen: the database lost its last transactions.
// No run is shown as complete, and no model is asked on, with calls left out.

import { sql } from 'kysely';
import type { RunFailure } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import { OUTCOMES } from './open-runs.ts';

export const recordLost = (what: string): RunFailure => ({
  code: 'RECORD_LOST',
  message: `The record of this run lacks ${what}, and its workflow went on: the database was put back to an earlier state, or a step was completed by hand. Look at what the run was to do; a retry goes on from what the record has.`,
});

/** What the record lacks of a run whose answer came with `turn`; undefined: nothing. */
export async function missingBeforeEnd(
  tx: StoreTransaction,
  runId: string,
  turn: number,
): Promise<string | undefined> {
  const { rows } = await sql<{ turns: number; answers: number; calls: number }>`
    select (select count(*)::int from turns where run_id = ${runId} and turn < ${turn}) as turns,
      (select count(*)::int from turns where run_id = ${runId} and turn = ${turn} and kind = 'ANSWER') as answers,
      (select count(*)::int from calls where run_id = ${runId} and state not in ${OUTCOMES}) as calls`.execute(
    tx.db,
  );
  const { turns = 0, answers = 0, calls = 0 } = rows[0] ?? {};
  if (turns < turn - 1) return "a model's reply";
  if (answers === 0) return 'its answer';
  return calls > 0 ? 'the outcome of a call' : undefined;
}

/** Whether these calls happened the record does not have any more: none is shown as not made. */
export async function markUnknown(tx: StoreTransaction, runId: string, why: string): Promise<void> {
  await sql`update calls set state = 'UNKNOWN', evidence = ${why}, result = ${`It is not known whether this call happened: ${why}.`}
    where run_id = ${runId} and state in ('PROPOSED', 'APPROVED', 'DISPATCHING', 'UNKNOWN')`.execute(
    tx.db,
  );
}
