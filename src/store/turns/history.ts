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

/** Of one call's result: enough to see what was done; the whole of it is in that run's record. */
const RESULT_CHARS = 4000;

/**
 * The exchanges of the session before this run, oldest first, no more than could fit. A run that
 * failed or was cancelled is listed with what it did, so that it is not done again; one that did
 * nothing has no exchange.
 */
export async function readHistory(
  tx: StoreTransaction,
  run: LockedRun,
  historyTokens: number,
): Promise<readonly Exchange[]> {
  if (run.sessionSeq === 1) return [];
  const { rows } = await sql<Exchange>`
    select h.run_id as "runId", question, answer, exists (select 1 from run_media m where m.run_id = h.run_id) as "hasMedia" from (
      select e.*, sum(length(question) + length(answer)) over (order by session_seq desc) as chars from (
        select r.run_id, r.session_seq, r.input || coalesce((select string_agg(E'\\n\\n' || w.message, '' order by w.at)
          from withdrawals w where w.run_id = r.run_id), '') as question, coalesce(t.text,
          case when r.status = 'FAILED' then 'This run failed before it had an answer (' || coalesce(r.error_message, '') || ')'
            else 'This run was cancelled before it had an answer' end
          || E'. These calls were made, what they did stands, and they must not be made again without need:\n' || d.done) as answer
        from runs r
        left join turns t on t.run_id = r.run_id and t.kind = 'ANSWER' and r.status = 'COMPLETED'
        left join lateral (
          select string_agg('- ' || c.name || ' ' || c.arguments || ': '
            || coalesce(left(c.result, ${RESULT_CHARS}), 'it is not known whether this call happened.'), E'\n' order by c.turn, c.idx) as done
          from calls c where c.run_id = r.run_id and r.status in ('FAILED', 'CANCELLED')
            and (c.state in ('SUCCEEDED', 'LEFT', 'UNKNOWN', 'DISPATCHING') or (c.state = 'FAILED' and c.dispatch_n > 0))
        ) d on true
        where r.org_id = ${run.orgId} and r.user_id = ${run.userId} and r.session_id = ${run.sessionId}
          and r.session_seq < ${run.sessionSeq} and (t.text is not null or d.done is not null)
      ) e
    ) h where chars <= ${historyTokens * CHARS_PER_TOKEN} order by session_seq`.execute(tx.db);
  return rows;
}
