// The model's reply of a turn with its calls, written once per (run, turn).

import { sql, type RawBuilder } from 'kysely';
import type { RunFailure, TerminalStatus } from '../../contract/names.ts';
import type { Approval, Risk, RetryClass } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { AgentSnapshot } from '../../contract/agent.ts';
import type { ApproverLists } from '../../policy/approvers.ts';
import type { JudgedRule } from '../../policy/judge.ts';
import { audit } from '../audit.ts';
import { judgeCalls } from '../calls/judged-calls.ts';
import { takeEffects } from '../calls/effects.ts';
import { refuseRejectedBefore } from '../calls/rejected-before.ts';
import { lookAtGrants, type NearGrant } from '../grants/take.ts';
import { appendEvents, type NewEvent } from '../events/events.ts';
import { endedAs, lockRun, type LockedRun } from '../runs/runs.ts';
import { addingUsage, endAttempt, endingAttempt, type TokenUsage } from './attempts.ts';

export interface StoredCall {
  readonly callId: string;
  readonly idx: number;
  readonly name: string;
  readonly toolVersion: string;
  /** Canonical JSON. */
  readonly arguments: string;
  readonly argumentsHash: string;
  readonly approval: Approval;
  readonly risk: Risk;
  readonly retry: RetryClass;
  readonly approvers: readonly string[] | null;
  /** A call that is answered with a tool error and never dispatched. */
  readonly refusal: string | null;
  /** The sentence that people decide by. Absent: its tool has none. */
  readonly summary?: string;
  /** Of a call whose tool has rules: what they said. */
  readonly rules?: readonly JudgedRule[] | null;
  readonly quorum?: number | null;
  readonly approversAlso?: ApproverLists | null;
  /** A grant seemed to cover it: it is claimed before anybody is asked. */
  readonly grantSeen?: boolean;
  /** Grants whose condition holds and that do not count, with the reason. */
  readonly grantsNear?: readonly NearGrant[];
}

export interface StoredReply {
  readonly kind: 'ANSWER' | 'CALLS';
  readonly text: string;
  readonly reasoning: string;
  readonly model: string;
  readonly finishReason: string;
  readonly calls: readonly StoredCall[];
  /** How the provider gave it, as JSON. */
  readonly cameAs?: string | null;
}

export async function readReply(
  tx: StoreTransaction,
  runId: string,
  turn: number,
): Promise<StoredReply> {
  const { rows } = await sql<StoredReply>`
    select t.kind, t.text, t.reasoning, t.model, t.finish_reason as "finishReason", coalesce((
      select jsonb_agg(jsonb_build_object('callId', c.call_id, 'idx', c.idx, 'name', c.name, 'toolVersion', c.tool_version, 'arguments', c.arguments,
        'argumentsHash', c.arguments_hash, 'approval', c.approval, 'risk', c.risk, 'retry', c.retry, 'approvers', c.approvers,
        'grantSeen', c.grant_seen, 'refusal', case when c.state = 'FAILED' and c.dispatch_n = 0 then c.result end) order by c.idx)
      from calls c where c.run_id = t.run_id and c.turn = t.turn), '[]') as calls
    from turns t where t.run_id = ${runId} and t.turn = ${turn}`.execute(tx.db);
  const reply = rows[0];
  if (reply === undefined) throw new Error('the reply of a turn is gone');
  return reply;
}

export type TurnRecorded =
  /**
   * `overtaken`: this attempt's is the reply that counts, and a later one has begun to speak.
   */
  | { readonly kind: 'RECORDED'; readonly reply: StoredReply; readonly overtaken: boolean }
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure }
  | { readonly kind: 'GONE' };

/**
 * The first attempt that replies writes the turn; a second attempt's reply is dropped, its tokens are
 * counted.
 * Calls that their tool's rules refuse, and those that were rejected before, are written with their
 * refusal.
 */
export async function recordReply(
  tx: StoreTransaction,
  runId: string,
  turn: number,
  attemptId: string,
  reply: StoredReply,
  usage: TokenUsage,
  agent?: AgentSnapshot,
): Promise<TurnRecorded> {
  const run = await lockRun(tx, runId);
  if (run === undefined) return { kind: 'GONE' };
  const ended = endedAs(run);
  if (ended !== undefined) {
    endAttempt(tx, runId, attemptId, { usage, model: reply.model });
    return ended;
  }
  const judged =
    agent === undefined ? reply.calls : await judgeCalls(tx, run, agent, turn, reply.calls);
  const asked = await refuseRejectedBefore(tx, runId, judged, agent?.approvals.askAgain ?? 'never');
  const first = agent === undefined ? asked : await takeEffects(tx, run, agent, asked);
  const calls = agent === undefined ? first : await withGrants(tx, run, agent, first);
  const { rows } = await sql<{ made: boolean; overtaken: boolean }>`
    with ended as (${endingAttempt(attemptId, { model: reply.model })}), made as (
      insert into turns (run_id, org_id, turn, kind, text, reasoning, model, finish_reason, came_as)
      values (${runId}, ${run.orgId}, ${turn}, ${reply.kind}, ${reply.text}, ${reply.reasoning}, ${reply.model}, ${reply.finishReason}, ${reply.cameAs ?? null})
      on conflict do nothing returning turn
    ), proposed as (${insertingCalls(run, turn, calls)})
    update runs set ${addingUsage(usage)},
      model = case when exists (select 1 from made) then ${reply.model} else model end,
      waiting = case when exists (select 1 from made) then null else waiting end
    where run_id = ${runId}
    returning exists (select 1 from made) as made, exists (select 1 from events e join attempts a on a.attempt_id = ${attemptId}
      where e.run_id = ${runId} and e.turn = ${turn} and e.kind = 'RETRY' and e.seq > a.event_seq) as overtaken`.execute(
    tx.db,
  );
  if (rows[0]?.made !== true)
    return { kind: 'RECORDED', reply: await readReply(tx, runId, turn), overtaken: false };
  appendEvents(tx, runId, calls.flatMap(eventsOfRefused(turn)));
  for (const call of calls) if (call.rules != null) auditJudged(tx, run, call);
  return { kind: 'RECORDED', reply: { ...reply, calls }, overtaken: rows[0].overtaken };
}

/** What is asked about, each with the grants that cover it, or nearly do. */
async function withGrants(
  tx: StoreTransaction,
  run: LockedRun,
  agent: AgentSnapshot,
  calls: readonly StoredCall[],
): Promise<readonly StoredCall[]> {
  const guarded = calls.filter((call) => call.approval === 'required' && call.refusal === null);
  const looked = await lookAtGrants(tx, run, agent, guarded);
  return calls.map((call) => {
    const { seen = false, near = [] } = looked[guarded.indexOf(call)] ?? {};
    return {
      ...call,
      ...(seen ? { grantSeen: true } : {}),
      ...(near.length === 0 ? {} : { grantsNear: near }),
    };
  });
}

/** As a part of the statement that makes the turn: where it was made. */
const insertingCalls = (
  run: LockedRun,
  turn: number,
  calls: readonly StoredCall[],
): RawBuilder<unknown> => sql`
    insert into calls (call_id, run_id, org_id, turn, idx, name, tool_version, arguments, arguments_hash, approval, risk, retry, approvers, state, result,
      summary, rules, quorum, approvers_also, grant_seen, grants_near)
    select c->>'callId', ${run.runId}, ${run.orgId}, ${turn}, (c->>'idx')::int, c->>'name', c->>'toolVersion', c->>'arguments', c->>'argumentsHash',
      c->>'approval', c->>'risk', c->>'retry', nullif(c->'approvers', 'null'), case when c->>'refusal' is null then 'PROPOSED' else 'FAILED' end, c->>'refusal',
      c->>'summary', nullif(c->'rules', 'null'), (c->>'quorum')::int, nullif(c->'approversAlso', 'null'), coalesce((c->>'grantSeen')::boolean, false), c->'grantsNear'
    from jsonb_array_elements(${JSON.stringify(calls)}::jsonb) c where exists (select 1 from made)`;

/** What the rules said, by their names and hashes: of a call that nobody is asked about, too. */
const auditJudged = (tx: StoreTransaction, { orgId, runId }: LockedRun, call: StoredCall): void =>
  audit(tx, {
    orgId,
    runId,
    actor: 'holdpoint',
    action: 'call.judged',
    data: {
      callId: call.callId,
      then: call.refusal === null ? call.approval : 'refuse',
      rules: (call.rules ?? []).map(({ name, hash, then, problem, shadow }) => ({
        ...{ name, hash, then },
        ...(problem === undefined ? {} : { problem }),
        ...(shadow === undefined ? {} : { shadow }),
      })),
    },
  });

const eventsOfRefused =
  (turn: number) =>
  ({ callId, name, arguments: text, refusal }: StoredCall): readonly NewEvent[] =>
    refusal === null
      ? []
      : [
          {
            kind: 'TOOL_START',
            turn,
            data: { callId, name, arguments: JSON.parse(text) as unknown },
          },
          { kind: 'TOOL_END', turn, data: { callId, name, result: refusal, isError: true } },
        ];
