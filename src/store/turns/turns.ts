// A turn of the model: beginning an attempt, the transcript it is asked with, and the reply,
// written once per (run, turn).

import { sql, type RawBuilder } from 'kysely';
import type { AgentSnapshot } from '../../contract/agent.ts';
import { isTerminal, type RunFailure, type TerminalStatus } from '../../contract/names.ts';
import type { Approval, Risk, RetryClass } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';
import { keepThrough } from '../events/deltas.ts';
import { appendEvents, type NewEvent } from '../events/events.ts';
import { lockRun, type LockedRun, type RunOptions } from '../runs/runs.ts';

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

export interface Exchange {
  readonly runId: string;
  readonly hasMedia: boolean;
  readonly question: string;
  readonly answer: string;
}

export interface PastTurn {
  readonly turn: number;
  readonly text: string;
  /** How the provider gave it, as JSON. */
  readonly cameAs: string | null;
  readonly calls: readonly {
    readonly callId: string;
    readonly name: string;
    readonly arguments: string;
    readonly result: string | null;
    readonly proposedArguments: string | null;
  }[];
}

export interface TurnWork {
  readonly run: LockedRun;
  readonly agent: AgentSnapshot;
  readonly options: RunOptions;
  readonly input: string;
  readonly hasMedia: boolean;
  readonly history: readonly Exchange[];
  readonly turns: readonly PastTurn[];
  /** Seq of the attempt's event: its deltas are `<seq>.<offset>`. */
  readonly attemptSeq: number;
  readonly tokens: number;
  readonly activeMs: number;
  /** Attempts at this turn so far. */
  readonly attempts: number;
  /** Faults of the model so far in this turn, by model asked. */
  readonly faults: ReadonlyMap<string, number>;
}

export type TurnStart =
  | { readonly kind: 'GONE' }
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure }
  | { readonly kind: 'REPLIED'; readonly agent: AgentSnapshot; readonly reply: StoredReply }
  | { readonly kind: 'WORK'; readonly work: TurnWork };

export const endedAs = (
  run: LockedRun,
): { kind: 'ENDED'; status: TerminalStatus; failure?: RunFailure } | undefined =>
  isTerminal(run.status)
    ? {
        kind: 'ENDED',
        status: run.status,
        ...(run.errorCode
          ? { failure: { code: run.errorCode, message: run.errorMessage ?? '' } }
          : {}),
      }
    : undefined;

/**
 * Time in which anything was under way, parallel calls counted once; a dead attempt up to its last
 * beat. As a part of a statement.
 */
export const activeMs = (runId: string): RawBuilder<number> =>
  sql<number>`coalesce((select sum(extract(epoch from upper(a) - lower(a))) * 1000 from unnest(
    (select range_agg(tstzrange(started_at, greatest(started_at, coalesce(ended_at, beat_at)))) from attempts where run_id = ${runId})) a), 0)::float8`;

export async function activeMsOf(tx: StoreTransaction, runId: string): Promise<number> {
  const { rows } = await sql<{ ms: number }>`select ${activeMs(runId)} as ms`.execute(tx.db);
  return rows[0]?.ms ?? 0;
}

export async function beginTurn(
  tx: StoreTransaction,
  runId: string,
  turn: number,
  attemptId: string,
): Promise<TurnStart> {
  const run = await lockRun(tx, runId);
  if (run === undefined) return { kind: 'GONE' };
  const ended = endedAs(run);
  if (ended !== undefined) return ended;
  const work = await readTurnWork(tx, run, turn);
  if (work === undefined) return { kind: 'GONE' };
  if (work.turns.some((t) => t.turn === turn))
    return { kind: 'REPLIED', agent: work.agent, reply: await readReply(tx, runId, turn) };

  await sql`insert into attempts (attempt_id, run_id, org_id, turn, kind) values (${attemptId}, ${runId}, ${run.orgId}, ${turn}, 'MODEL')
    on conflict do nothing`.execute(tx.db);
  await sql`update runs set status = 'RUNNING', turn = ${turn}, updated_at = case when status = 'QUEUED' then date_trunc('milliseconds', clock_timestamp()) else updated_at end
    where run_id = ${runId}`.execute(tx.db);
  const attemptSeq = await appendEvents(tx, runId, [
    work.attempts === 0
      ? { kind: 'ATTEMPT', turn, data: {} }
      : { kind: 'RETRY', turn, data: { keepThrough: await keepThrough(tx, runId, turn) } },
  ]);
  return {
    kind: 'WORK',
    work: {
      ...work,
      attemptSeq,
      activeMs: turn === 1 && work.attempts === 0 ? 0 : await activeMsOf(tx, runId),
    },
  };
}

/** What a model call of a run is made of, whatever it is for. */
export async function readTurnWork(
  tx: StoreTransaction,
  run: LockedRun,
  turn: number,
): Promise<Omit<TurnWork, 'attemptSeq' | 'activeMs'> | undefined> {
  const { rows } = await sql<{
    agent: AgentSnapshot;
    options: RunOptions;
    input: string;
    hasMedia: boolean;
    tokens: number;
    faults: Record<string, number> | null;
    attempts: number;
    turns: PastTurn[];
  }>`
    select s.body as agent, r.options, r.input, exists (select 1 from run_media m where m.run_id = r.run_id) as "hasMedia", r.prompt_tokens + r.completion_tokens as tokens,
      (select jsonb_object_agg(f.model, f.n) from (
        -- A used-up quota is not asked again in this turn, whatever may be left of the attempts.
        select model, count(*) + 100 * count(*) filter (where fault = 'QUOTA_EXHAUSTED') n from attempts a where a.run_id = r.run_id and a.turn = ${turn} and a.kind = 'MODEL' and a.fault is not null group by model) f) as faults,
      (select count(*) from attempts a where a.run_id = r.run_id and a.turn = ${turn} and a.kind = 'MODEL') as attempts,
      coalesce((select jsonb_agg(jsonb_build_object('turn', t.turn, 'text', t.text, 'cameAs', t.came_as, 'calls', coalesce((
          select jsonb_agg(jsonb_build_object('callId', c.call_id, 'name', c.name, 'arguments', c.arguments, 'result', c.result,
            'proposedArguments', c.proposed_arguments) order by c.idx)
          from calls c where c.run_id = t.run_id and c.turn = t.turn), '[]')) order by t.turn)
        from turns t where t.run_id = r.run_id), '[]') as turns
    from runs r join agent_snapshots s using (revision) where r.run_id = ${run.runId}`.execute(
    tx.db,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const history = await readHistory(tx, run, row.agent.limits.historyTokens);
  return { ...row, run, history, faults: new Map(Object.entries(row.faults ?? {})) };
}

// A token is at most about four characters of the text: what lies beyond cannot fit and is not
// read.
const CHARS_PER_TOKEN = 4;

/** Completed exchanges of the session before this run, oldest first, no more than could fit. */
async function readHistory(
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

async function readReply(tx: StoreTransaction, runId: string, turn: number): Promise<StoredReply> {
  const { rows } = await sql<StoredReply>`
    select t.kind, t.text, t.reasoning, t.model, t.finish_reason as "finishReason", coalesce((
      select jsonb_agg(jsonb_build_object('callId', c.call_id, 'idx', c.idx, 'name', c.name, 'toolVersion', c.tool_version, 'arguments', c.arguments,
        'argumentsHash', c.arguments_hash, 'approval', c.approval, 'risk', c.risk, 'retry', c.retry, 'approvers', c.approvers,
        'refusal', case when c.state = 'FAILED' and c.dispatch_n = 0 then c.result end) order by c.idx)
      from calls c where c.run_id = t.run_id and c.turn = t.turn), '[]') as calls
    from turns t where t.run_id = ${runId} and t.turn = ${turn}`.execute(tx.db);
  const reply = rows[0];
  if (reply === undefined) throw new Error('the reply of a turn is gone');
  return reply;
}

export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly estimated: boolean;
}

/**
 * Ends an attempt, with what the provider reported of it; also after the run has ended. `fault`:
 * the model's, and only its.
 */
export async function endAttempt(
  tx: StoreTransaction,
  runId: string,
  attemptId: string,
  end: { usage?: TokenUsage | undefined; model?: string | undefined; fault?: string | undefined },
): Promise<void> {
  const ended =
    await sql`update attempts set ended_at = clock_timestamp(), model = ${end.model ?? null}, fault = ${end.fault ?? null}
    where attempt_id = ${attemptId} and ended_at is null returning attempt_id`.execute(tx.db);
  if (ended.rows.length === 0 || end.usage === undefined) return;
  await sql`update runs set prompt_tokens = prompt_tokens + ${end.usage.promptTokens}, completion_tokens = completion_tokens + ${end.usage.completionTokens},
    usage_estimated = usage_estimated or ${end.usage.estimated} where run_id = ${runId}`.execute(
    tx.db,
  );
}

export async function beatAttempt(tx: StoreTransaction, attemptId: string): Promise<void> {
  await sql`update attempts set beat_at = clock_timestamp() where attempt_id = ${attemptId} and ended_at is null`.execute(
    tx.db,
  );
}

export type TurnRecorded =
  | { readonly kind: 'RECORDED'; readonly reply: StoredReply }
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure }
  | { readonly kind: 'GONE' };

/**
 * Whoever comes first writes the turn; a second attempt's reply is dropped, its tokens are counted.
 */
export async function recordReply(
  tx: StoreTransaction,
  runId: string,
  turn: number,
  attemptId: string,
  reply: StoredReply,
  usage: TokenUsage,
): Promise<TurnRecorded> {
  const run = await lockRun(tx, runId);
  if (run === undefined) return { kind: 'GONE' };
  await endAttempt(tx, runId, attemptId, { usage, model: reply.model });
  const ended = endedAs(run);
  if (ended !== undefined) return ended;
  const made = await sql`
    insert into turns (run_id, org_id, turn, kind, text, reasoning, model, finish_reason, came_as)
    values (${runId}, ${run.orgId}, ${turn}, ${reply.kind}, ${reply.text}, ${reply.reasoning}, ${reply.model}, ${reply.finishReason}, ${reply.cameAs ?? null})
    on conflict do nothing returning turn`.execute(tx.db);
  if (made.rows.length === 0) return { kind: 'RECORDED', reply: await readReply(tx, runId, turn) };
  await sql`update runs set model = ${reply.model} where run_id = ${runId}`.execute(tx.db);
  if (reply.calls.length > 0) await insertCalls(tx, run, turn, reply.calls);
  return { kind: 'RECORDED', reply };
}

async function insertCalls(
  tx: StoreTransaction,
  run: LockedRun,
  turn: number,
  calls: readonly StoredCall[],
): Promise<void> {
  await sql`
    insert into calls (call_id, run_id, org_id, turn, idx, name, tool_version, arguments, arguments_hash, approval, risk, retry, approvers, state, result)
    select c->>'callId', ${run.runId}, ${run.orgId}, ${turn}, (c->>'idx')::int, c->>'name', c->>'toolVersion', c->>'arguments', c->>'argumentsHash',
      c->>'approval', c->>'risk', c->>'retry', nullif(c->'approvers', 'null'), case when c->>'refusal' is null then 'PROPOSED' else 'FAILED' end, c->>'refusal'
    from jsonb_array_elements(${JSON.stringify(calls)}::jsonb) c`.execute(tx.db);
  const refused = calls.flatMap((call): NewEvent[] =>
    call.refusal === null
      ? []
      : [
          {
            kind: 'TOOL_START',
            turn,
            data: {
              callId: call.callId,
              name: call.name,
              arguments: JSON.parse(call.arguments) as unknown,
            },
          },
          {
            kind: 'TOOL_END',
            turn,
            data: { callId: call.callId, name: call.name, result: call.refusal, isError: true },
          },
        ],
  );
  await appendEvents(tx, run.runId, refused);
}
