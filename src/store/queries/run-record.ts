// A run as it is, whole, in one statement: what api/present.ts turns into a RunResponse, and
// nothing else does.

import { sql, type RawBuilder } from 'kysely';
import type { FailureCode, RunStatus } from '../../contract/names.ts';
import type { Citation } from '../../contract/citation.ts';
import type { Action } from '../../contract/run.ts';
import type { PauseKind, WaitingFor } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';

export interface RecordedVote {
  readonly by: string;
  readonly action: Action;
  readonly at: string;
}

export interface RecordedDecision {
  readonly action: Action;
  readonly by: readonly string[];
  readonly at: string;
  readonly reason: string | null;
  readonly proposedArguments: string | null;
}

/** What was decided in this run about another call of the same tool, before. */
export interface EarlierDecision {
  readonly callId: string;
  /** As the model had asked for them. */
  readonly arguments: string;
  readonly action: Action;
  readonly by: readonly string[];
  readonly at: string;
  readonly reason: string | null;
}

export type CallState =
  | 'PROPOSED'
  | 'APPROVED'
  | 'REJECTED'
  | 'DISPATCHING'
  | 'SUCCEEDED'
  | 'FAILED'
  | 'UNKNOWN'
  | 'LEFT'
  | 'CLOSED';

export interface CallRecord {
  readonly callId: string;
  readonly turn: number;
  readonly name: string;
  readonly description: string | null;
  readonly arguments: string;
  readonly argumentsHash: string;
  readonly risk: 'normal' | 'high';
  /** It needs approval; one of unknown outcome may not. */
  readonly guarded: boolean;
  /** null: anyone of the org with the scope. */
  readonly approvers: readonly string[] | null;
  readonly state: CallState;
  readonly result: string | null;
  readonly durationMs: number;
  readonly evidence: string | null;
  readonly askedAgain: 'ARGUMENTS_CHANGED' | 'TOOL_CHANGED' | null;
  /** The pause in which it is open, else null. */
  readonly pauseId: string | null;
  readonly pauseKind: PauseKind | null;
  readonly requestedAt: string | null;
  readonly expiresAt: string | null;
  readonly votes: readonly RecordedVote[];
  readonly decision: RecordedDecision | null;
  /** Of an open call; oldest first. Absent in pauses recorded by the first release. */
  readonly earlier?: readonly EarlierDecision[];
  /** Of the last answer that came, whatever it counted as. */
  readonly httpStatus?: number | null;
  /** Passages that its result holds; null: none. */
  readonly citations?: readonly Citation[] | null;
}

export interface RunRecord {
  readonly runId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly userId: string;
  readonly orgId: string;
  readonly startedBy: string;
  readonly status: RunStatus;
  readonly input: string;
  readonly content: string;
  readonly model: string | null;
  readonly finishReason: string | null;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly usageEstimated: boolean;
  readonly followUps: readonly string[] | null;
  readonly revision: string;
  readonly errorCode: FailureCode | null;
  readonly errorMessage: string | null;
  readonly pauseId: string | null;
  readonly quorum: number;
  /** Absent: not asked for. */
  readonly waiting?: WaitingFor | null;
  /** An operator has paused its workflow in Temporal. */
  readonly held: boolean;
  readonly fourEyes: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly reasoning: readonly { readonly reasoning: string; readonly text: string }[];
  readonly calls: readonly CallRecord[];
}

const at = (column: RawBuilder<unknown>): RawBuilder<string> =>
  sql<string>`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Whole records of the runs that `where` (over `r`) picks, in the order of `tail`. */
export async function readRuns(
  tx: StoreTransaction,
  where: RawBuilder<unknown>,
  tail: RawBuilder<unknown> = sql``,
): Promise<readonly RunRecord[]> {
  const { rows } = await sql<RunRecord>`
    select r.run_id as "runId", r.session_id as "sessionId", r.agent_id as "agentId", r.user_id as "userId", r.org_id as "orgId",
      r.started_by as "startedBy", r.status, r.input, r.content, r.model, r.finish_reason as "finishReason",
      r.prompt_tokens as "promptTokens", r.completion_tokens as "completionTokens", r.usage_estimated as "usageEstimated",
      r.follow_ups as "followUps", r.revision, r.error_code as "errorCode", r.error_message as "errorMessage", r.pause_id as "pauseId",
      coalesce((s.body->'approvals'->>'quorum')::int, 1) as quorum,
      coalesce((s.body->'approvals'->>'fourEyes')::boolean, false) as "fourEyes", r.waiting, r.held, r.created_at as "createdAt", r.updated_at as "updatedAt",
      coalesce((
        select jsonb_agg(jsonb_build_object('reasoning', t.reasoning, 'text', case when t.kind = 'CALLS' then t.text else '' end) order by t.turn)
        from turns t where t.run_id = r.run_id and (t.reasoning <> '' or (t.kind = 'CALLS' and t.text <> ''))), '[]') as reasoning,
      coalesce((
        select jsonb_agg(jsonb_build_object(
          'callId', c.call_id, 'turn', c.turn, 'name', c.name, 'arguments', c.arguments, 'argumentsHash', c.arguments_hash, 'risk', c.risk,
          'guarded', c.approval = 'required', 'approvers', c.approvers,
          'description', (select d->>'description' from jsonb_array_elements(s.body->'tools') d where d->>'name' = c.name),
          'state', c.state, 'result', c.result, 'durationMs', c.duration_ms, 'evidence', c.evidence, 'askedAgain', c.asked_again,
          'pauseId', c.pause_id, 'pauseKind', p.kind, 'requestedAt', ${at(sql`c.requested_at`)}, 'expiresAt', ${at(sql`c.expires_at`)},
          'votes', coalesce((
            select jsonb_agg(jsonb_build_object('by', v.person, 'action', v.action, 'at', ${at(sql`v.at`)}) order by v.at, v.person)
            from votes v where v.call_id = c.call_id and v.pause_id = c.pause_id), '[]'),
          'decision', (
            select jsonb_build_object('action', d.action, 'by', d.deciders, 'at', ${at(sql`d.at`)}, 'reason', d.reason,
              'proposedArguments', d.proposed_arguments)
            from decisions d where d.call_id = c.call_id and d.pause_id = c.decided_pause_id),
          'httpStatus', c.http_status, 'citations', c.citations,
          'earlier', case when c.pause_id is null then '[]' else coalesce((
            select jsonb_agg(jsonb_build_object('callId', e.call_id, 'arguments', coalesce(d.proposed_arguments, e.arguments), 'action', d.action,
              'by', d.deciders, 'at', ${at(sql`d.at`)}, 'reason', d.reason) order by d.at, e.turn, e.idx)
            from decisions d join calls e on e.call_id = d.call_id join pauses q on q.pause_id = d.pause_id
            where d.run_id = c.run_id and e.name = c.name and d.pause_id <> c.pause_id and q.kind = 'APPROVAL'), '[]') end
          ) order by c.turn, c.idx)
        from calls c left join pauses p on p.pause_id = c.pause_id where c.run_id = r.run_id), '[]') as calls
    from runs r join agent_snapshots s using (revision)
    where ${where} ${tail}`.execute(tx.db);
  return rows;
}

export async function readRun(
  tx: StoreTransaction,
  orgId: string,
  runId: string,
): Promise<RunRecord | undefined> {
  return (await readRuns(tx, sql`r.org_id = ${orgId} and r.run_id = ${runId}`))[0];
}
