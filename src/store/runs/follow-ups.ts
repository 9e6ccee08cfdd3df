// Questions that may follow an answer: read what the model is asked with, written once, before the
// run is settled.

import { sql } from 'kysely';
import { isTerminal } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import { lockRun } from './runs.ts';
import { endAttempt, type TokenUsage } from '../turns/attempts.ts';
import { readTurnRow, turnWorkOf, type TurnWork } from '../turns/turns.ts';

export type FollowUpWork = Pick<TurnWork, 'agent' | 'options' | 'input' | 'history' | 'turns'>;

/** undefined: the run has ended, or has its follow-ups. */
export async function beginFollowUps(
  tx: StoreTransaction,
  runId: string,
  turn: number,
  attemptId: string,
): Promise<FollowUpWork | undefined> {
  const run = await lockRun(tx, runId);
  if (run === undefined || isTerminal(run.status)) return undefined;
  const { rows } = await sql<{
    done: boolean;
  }>`select follow_ups is not null as done from runs where run_id = ${runId}`.execute(tx.db);
  if (rows[0]?.done === true) return undefined;
  await sql`insert into attempts (attempt_id, run_id, org_id, turn, kind) values (${attemptId}, ${runId}, ${run.orgId}, ${turn}, 'FOLLOWUPS')
    on conflict do nothing`.execute(tx.db);
  return turnWorkOf(tx, run, await readTurnRow(tx, runId, turn));
}

export interface FollowUps {
  readonly questions: readonly string[];
  readonly usage?: TokenUsage | undefined;
}

export async function recordFollowUps(
  tx: StoreTransaction,
  runId: string,
  attemptId: string,
  { questions, usage }: FollowUps,
): Promise<void> {
  const run = await lockRun(tx, runId);
  if (run === undefined) return;
  endAttempt(tx, runId, attemptId, { usage });
  if (isTerminal(run.status) || questions.length === 0) return;
  await sql`update runs set follow_ups = ${JSON.stringify(questions)}::jsonb where run_id = ${runId} and follow_ups is null`.execute(
    tx.db,
  );
}
