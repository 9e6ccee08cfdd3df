// What a session's earlier runs leave to a later one.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';
import type { LockedRun } from '../runs/runs.ts';

export interface Exchange {
  readonly runId: string;
  readonly hasMedia: boolean;
  readonly question: string;
  readonly answer: string;
}

// A token is at most about four characters of the text: what lies beyond cannot fit and is not
// read.
const CHARS_PER_TOKEN = 4;

/** Completed exchanges of the session before this run, oldest first, no more than could fit. */
export async function readHistory(
  tx: StoreTransaction,
  run: LockedRun,
  historyTokens: number,
): Promise<readonly Exchange[]> {
  if (run.sessionSeq === 1) return [];
  const { rows } = await sql<Exchange>`
    select h.run_id as "runId", question, answer, exists (select 1 from run_media m where m.run_id = h.run_id) as "hasMedia" from (
      select r.run_id, r.input as question, t.text as answer, r.session_seq,
        sum(length(r.input) + length(t.text)) over (order by r.session_seq desc) as chars
      from runs r join turns t on t.run_id = r.run_id and t.kind = 'ANSWER'
      where r.org_id = ${run.orgId} and r.user_id = ${run.userId} and r.session_id = ${run.sessionId}
        and r.session_seq < ${run.sessionSeq} and r.status = 'COMPLETED'
    ) h where chars <= ${historyTokens * CHARS_PER_TOKEN} order by session_seq`.execute(tx.db);
  return rows;
}
