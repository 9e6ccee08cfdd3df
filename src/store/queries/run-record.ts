// The present state of a run, in one statement: what api/runs/present.ts turns into a RunResponse, and
// nothing else does. Whole; with the calls that wait alone; or, as an item of a list, within bounds.

import { sql, type RawBuilder } from 'kysely';
import type { FailureCode, RunStatus } from '../../contract/names.ts';
import type { WaitingFor } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { CallRecord } from './call-record.ts';

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
  /** An item of a list that is more than its share: texts begin, and calls are the last ones. */
  readonly cut?: boolean;
}

const at = (column: RawBuilder<unknown>): RawBuilder<string> =>
  sql<string>`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * What is read of each run. `itemMaxBytes`: of one that is longer, what a list can afford: its last
 * calls and turns, and of each text its beginning.
 */
export type RunScope =
  | { readonly kind: 'WHOLE' }
  | { readonly kind: 'CALLS'; readonly which: RawBuilder<unknown> }
  | { readonly kind: 'ITEM'; readonly itemMaxBytes: number };

/** What is waited for in a run, without the rest of it. */
export const OPEN_CALLS: RunScope = { kind: 'CALLS', which: sql`c.pause_id is not null` };

/**
 * Of an item that is cut. With its other fields and in ASCII it comes to some 30 KB, of which a
 * page of a hundred holds the contract's 4 MiB.
 */
const CUT_CALLS = 30;
export const CUT_TEXT_CHARS = 300;
export const CUT_MESSAGE_CHARS = 2000;

/** Decisions shown with an open call, all calls together: what thousands of calls cost is bounded. */
const EARLIER_AT_ONCE = 200;
const EARLIER_EACH = 20;
export const EARLIER_ARGUMENTS_CHARS = 2000;

/** As much of what a model says for its call as a person reads before deciding. */
const MODEL_TEXT_CHARS = 1000;

/** Records of the runs that `where` (over `r`) picks, in the order of `tail`. */
export async function readRuns(
  tx: StoreTransaction,
  where: RawBuilder<unknown>,
  tail: RawBuilder<unknown> = sql``,
  scope: RunScope = { kind: 'WHOLE' },
): Promise<readonly RunRecord[]> {
  const { text, message, calls, turns, described, weight, citations, definition } = partsOf(scope);
  const { rows } = await sql<RunRecord>`
    select r.run_id as "runId", r.session_id as "sessionId", r.agent_id as "agentId", r.user_id as "userId", r.org_id as "orgId",
      r.started_by as "startedBy", r.status, ${message(sql`r.input`)} as input, ${message(sql`r.content`)} as content, r.model, r.finish_reason as "finishReason",
      r.prompt_tokens as "promptTokens", r.completion_tokens as "completionTokens", r.usage_estimated as "usageEstimated",
      r.follow_ups as "followUps", r.revision, r.error_code as "errorCode", r.error_message as "errorMessage", r.pause_id as "pauseId",
      coalesce((s.body->'approvals'->>'quorum')::int, 1) as quorum, w.cut,
      coalesce((s.body->'approvals'->>'fourEyes')::boolean, false) as "fourEyes", r.waiting, r.held, r.created_at as "createdAt", r.updated_at as "updatedAt",
      coalesce((
        select jsonb_agg(jsonb_build_object('reasoning', ${text(sql`t.reasoning`)}, 'text', case when t.kind = 'CALLS' then ${text(sql`t.text`)} else '' end) order by t.turn)
        from ${turns} t where t.reasoning <> '' or (t.kind = 'CALLS' and t.text <> '')), '[]') as reasoning,
      coalesce((
        select jsonb_agg(jsonb_build_object(
          'callId', c.call_id, 'turn', c.turn, 'name', c.name, 'arguments', ${text(sql`c.arguments`)}, 'argumentsHash', c.arguments_hash, 'risk', c.risk,
          'guarded', c.approval = 'required', 'approvers', c.approvers,
          'description', case when ${described} then
            (select ${text(sql`(d->>'description')`)} from jsonb_array_elements(s.body->'tools') d where d->>'name' = c.name) end,
          'state', c.state, 'result', ${text(sql`c.result`)}, 'durationMs', c.duration_ms, 'evidence', ${text(sql`c.evidence`)}, 'askedAgain', c.asked_again,
          'pauseId', c.pause_id, 'pauseKind', p.kind, 'requestedAt', ${at(sql`c.requested_at`)}, 'expiresAt', ${at(sql`c.expires_at`)},
          'votes', coalesce((
            select jsonb_agg(jsonb_build_object('by', v.person, 'action', v.action, 'at', ${at(sql`v.at`)}) order by v.at, v.person)
            from votes v where v.call_id = c.call_id and v.pause_id = c.pause_id), '[]'),
          'decision', coalesce((
            select jsonb_build_object('action', d.action, 'by', d.deciders, 'at', ${at(sql`d.at`)}, 'reason', ${text(sql`d.reason`)},
              'proposedArguments', ${text(sql`d.proposed_arguments`)})
            from decisions d where d.call_id = c.call_id and d.pause_id = c.decided_pause_id),
             case when c.granted is not null then jsonb_build_object('action', 'APPROVE', 'by', c.granted->'by', 'at', c.granted->'at',
               'reason', null, 'proposedArguments', null, 'grantId', c.granted->'grantId') end),
          'effectKey', case when c.pause_id is not null then (select left(e.key, 500) from effects e where e.call_id = c.call_id limit 1) end, 'grantsNear', c.grants_near, 'httpStatus', c.http_status, 'citations', ${citations}, 'rules', c.rules, 'quorum', c.quorum, 'approversAlso', c.approvers_also, 'summary', c.summary, 'tool', ${definition(sql`(select d->'mcp'->'definition' from jsonb_array_elements(s.body->'tools') d where d->>'name' = c.name)`)}, 'toolNow', ${definition(sql`c.tool_now`)},
          'modelText', case when c.pause_id is not null then
            (select left(nullif(m.text, ''), ${sql.lit(MODEL_TEXT_CHARS)}) from turns m where m.run_id = c.run_id and m.turn = c.turn) end,
          'earlier', case when c.pause_id is null then '[]' else ${earlierDecisions} end
          ) order by c.turn, c.idx)
        from ${calls} c left join pauses p on p.pause_id = c.pause_id), '[]') as calls
    from (select r.* from runs r where ${where} ${tail}) r join agent_snapshots s using (revision) cross join lateral ${weight} w
    ${tail}`.execute(tx.db);
  return rows;
}

/** Of the call `c`, the last ones, oldest first. */
const earlierDecisions = sql`coalesce((
  select jsonb_agg(e.decision order by e.at, e.turn, e.idx) from (
    select d.at, e.turn, e.idx, jsonb_build_object('callId', e.call_id, 'arguments',
      left(coalesce(d.proposed_arguments, e.arguments), ${sql.lit(EARLIER_ARGUMENTS_CHARS + 1)}), 'action', d.action,
      'by', d.deciders, 'at', ${at(sql`d.at`)}, 'reason', d.reason) as decision
    from decisions d join calls e on e.call_id = d.call_id join pauses q on q.pause_id = d.pause_id
    where d.run_id = c.run_id and e.name = c.name and d.pause_id <> c.pause_id and q.kind = 'APPROVAL'
    order by d.at desc, e.turn desc, e.idx desc limit c.earlier) e), '[]')`;

type Cut = (column: RawBuilder<unknown>) => RawBuilder<unknown>;
interface Parts {
  readonly text: Cut;
  readonly message: Cut;
  readonly calls: RawBuilder<unknown>;
  readonly turns: RawBuilder<unknown>;
  /** Whether a call is shown with what its tool does. */
  readonly described: RawBuilder<unknown>;
  /** What the call `c` found; of calls alone, what all of their run did. */
  readonly citations: RawBuilder<unknown>;
  /** Of an open call of a server's tool. */
  readonly definition: Cut;
  readonly weight: RawBuilder<unknown>;
}

const earlierOfEach = sql`greatest(1, least(${sql.lit(EARLIER_EACH)}, ${sql.lit(EARLIER_AT_ONCE)} / greatest(1, count(*) filter (where c.pause_id is not null) over ()))) as earlier`;
const callsWhere = (which: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`(select c.*, ${earlierOfEach} from calls c where c.run_id = r.run_id and ${which})`;
const asItIs: Cut = (column) => column;
/** One character more than is shown marks that there is more. */
const beginning =
  (chars: number): Cut =>
  (column) =>
    sql`case when w.cut then left(${column}, ${sql.lit(chars + 1)}) else ${column} end`;

function partsOf(scope: RunScope): Parts {
  const whole: Parts = {
    text: asItIs,
    message: asItIs,
    calls: callsWhere(sql`true`),
    turns: sql`(select * from turns t where t.run_id = r.run_id)`,
    described: sql`c.pause_id is not null`,
    weight: sql`(select false as cut)`,
    citations: sql`c.citations`,
    definition: (column) => sql`case when c.pause_id is not null then ${column} end`,
  };
  switch (scope.kind) {
    case 'WHOLE':
      return whole;
    case 'CALLS':
      return {
        ...whole,
        message: (column) => sql`left(${column}, ${sql.lit(CUT_MESSAGE_CHARS)})`,
        calls: callsWhere(scope.which),
        turns: sql`(select * from turns t where false)`,
        described: sql`true`,
        definition: (column) => shortDefinition(column, SHOWN_DEFINITION_BYTES),
        citations: sql`(select jsonb_agg(found order by s.turn, s.idx, n)
          from calls s, jsonb_array_elements(s.citations) with ordinality f(found, n) where s.run_id = c.run_id)`,
      };
    case 'ITEM': {
      const most = Math.floor(scope.itemMaxBytes / ENTRY_BYTES);
      const kept = sql`case when w.cut then ${sql.lit(Math.min(CUT_CALLS, most))} else ${sql.lit(most)} end`;
      return {
        ...whole,
        text: beginning(CUT_TEXT_CHARS),
        message: beginning(CUT_MESSAGE_CHARS),
        definition: (column) =>
          sql`case when not w.cut then ${shortDefinition(column, LISTED_DEFINITION_BYTES)} end`,
        calls: sql`(select c.*, ${earlierOfEach} from (${lastCalls(sql`*`, kept)}) c)`,
        turns: sql`(${lastTurns(sql`*`, kept)})`,
        weight: weightOver(scope.itemMaxBytes, sql.lit(most + 1)),
      };
    }
  }
}

/** Of a definition that an item of a list shows, and of one in the inbox: usual servers need less. */
const LISTED_DEFINITION_BYTES = 4000;
const SHOWN_DEFINITION_BYTES = 16_000;
const shortDefinition = (column: RawBuilder<unknown>, maxBytes: number): RawBuilder<unknown> =>
  sql`case when c.pause_id is not null and octet_length(${column}::text) <= ${sql.lit(maxBytes)} then ${column} end`;

/** What a call or a turn comes to beside its texts. */
const ENTRY_BYTES = 800;

// Those that wait come before all others.
const lastCalls = (columns: RawBuilder<unknown>, limit: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`select ${columns} from calls where run_id = r.run_id order by pause_id is not null desc, turn desc, idx desc limit ${limit}`;
const lastTurns = (columns: RawBuilder<unknown>, limit: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`select ${columns} from turns where run_id = r.run_id order by turn desc limit ${limit}`;

/**
 * By the lengths in the rows: no long text is fetched for it, and no more rows are
 * looked at than fit.
 */
const weightOver = (maxBytes: number, limit: RawBuilder<unknown>): RawBuilder<unknown> => sql`(
  select octet_length(r.input) + octet_length(r.content) + coalesce(octet_length(r.error_message), 0)
      + coalesce(pg_column_size(r.follow_ups), 0) + k.bytes + u.bytes > ${sql.lit(maxBytes)} as cut
  from (select coalesce(sum(${sql.lit(ENTRY_BYTES)} + octet_length(arguments) + coalesce(octet_length(result), 0) + coalesce(octet_length(evidence), 0)
      + coalesce(octet_length(proposed_arguments), 0)), 0) as bytes from (${lastCalls(sql`arguments, result, evidence, proposed_arguments`, limit)}) c) k,
    (select coalesce(sum(${sql.lit(ENTRY_BYTES)} + octet_length(text) + octet_length(reasoning)), 0) as bytes
      from (${lastTurns(sql`text, reasoning`, limit)}) t) u)`;

export async function readRun(
  tx: StoreTransaction,
  orgId: string,
  runId: string,
  scope?: RunScope,
): Promise<RunRecord | undefined> {
  return (await readRuns(tx, sql`r.org_id = ${orgId} and r.run_id = ${runId}`, sql``, scope))[0];
}
