// A turn of the model: beginning an attempt, and the transcript it is asked with. The reply is
// replies.ts's.

import { sql } from 'kysely';
import type { AgentSnapshot } from '../../contract/agent.ts';
import type { RunFailure, TerminalStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';
import { keepThrough } from '../events/deltas.ts';
import { memoriesForRun } from '../memories/memories.ts';
import type { NewEvent } from '../events/events.ts';
import { endedAs, lockRun, type LockedRun, type RunOptions } from '../runs/runs.ts';
import { recordLost } from '../runs/lost-record.ts';
import type { Waiting } from '../runs/waiting.ts';
import { activeMsSince } from './attempts.ts';
import { acknowledgeStart } from '../outbox.ts';
import { readHistory, type Exchange } from './history.ts';
import { readReply, type StoredReply } from './replies.ts';

export interface PastTurn {
  readonly turn: number;
  readonly text: string;
  /** How the provider gave it, as JSON. */
  readonly cameAs: string | null;
  readonly calls: readonly {
    readonly callId: string;
    readonly name: string;
    readonly arguments: string;
    readonly state?: string;
    readonly result: string | null;
    readonly proposedArguments: string | null;
    readonly httpStatus?: number | null;
  }[];
}

export interface SaidLater {
  /** It follows the results of this turn. */
  readonly turn: number;
  readonly text: string;
}

export interface RunMemory {
  readonly memoryId: string;
  readonly content: string;
}

export interface TurnWork {
  readonly run: LockedRun;
  readonly agent: AgentSnapshot;
  readonly options: RunOptions;
  readonly input: string;
  readonly hasMedia: boolean;
  readonly history: readonly Exchange[];
  readonly turns: readonly PastTurn[];
  /** What the user said instead of calls that they took back, in order. */
  readonly said: readonly SaidLater[];
  /** What is remembered of the user, as taken when the run began; null: not taken. */
  readonly memories: readonly RunMemory[] | null;
  /** Seq of the attempt's event: its deltas are `<seq>.<offset>`. */
  readonly attemptSeq: number;
  /** Counted against `limits.maxTotalTokens`: from where the run's present budget began. */
  readonly tokens: number;
  readonly activeMs: number;
  /** The attempt's event is not shown to readers. */
  readonly hidden: boolean;
  /** Attempts at this turn so far. */
  readonly attempts: number;
  /** Faults of the model so far in this turn, by model asked. */
  readonly faults: ReadonlyMap<string, number>;
  /** All of them were 429s. */
  readonly onlyRateLimited: boolean;
  /** This turn waits for its model; null: it does not. */
  readonly waiting: Waiting | null;
}

/** Added to the faults of a model whose quota is used up: more than attempts ever are. */
export const QUOTA_USED_UP = 1_000_000;

export type TurnStart =
  | { readonly kind: 'GONE' }
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure }
  | {
      readonly kind: 'REPLIED';
      readonly agent: AgentSnapshot;
      readonly reply: StoredReply;
      readonly activeMs: number;
    }
  /** The workflow has seen more than the record has. */
  | { readonly kind: 'BEHIND'; readonly failure: RunFailure }
  | { readonly kind: 'WORK'; readonly work: TurnWork };

export async function beginTurn(
  tx: StoreTransaction,
  runId: string,
  turn: number,
  attemptId: string,
): Promise<TurnStart> {
  // Both leave at once, and the second is read once the lock is held.
  const [run, row] = await Promise.all([lockRun(tx, runId), readTurnRow(tx, runId, turn)]);
  if (run === undefined) return { kind: 'GONE' };
  const ended = endedAs(run);
  if (ended !== undefined) return ended;
  const found = await turnWorkOf(tx, run, row);
  if (found === undefined) return { kind: 'GONE' };
  const { activeMs, ...work } = found;
  if (work.turns.some((t) => t.turn === turn))
    return {
      kind: 'REPLIED',
      agent: work.agent,
      reply: await readReply(tx, runId, turn),
      activeMs,
    };
  const missing = missingBefore(turn, work.turns);
  if (missing !== undefined) return { kind: 'BEHIND', failure: recordLost(missing) };

  const memories = work.memories ?? (await takeMemories(tx, run, work));
  const own = work.attempts === 0 ? undefined : await ownAttempt(tx, attemptId);
  const before = own === undefined ? work.attempts : work.attempts - 1;
  // A reader of the stream gets no RETRY for each attempt while the model is away: there is nothing to drop.
  const hidden = before === 0 || (work.waiting !== null && !(await hasSpoken(tx, runId, turn)));
  const mark: NewEvent = hidden
    ? { kind: 'ATTEMPT', turn, data: {} }
    : { kind: 'RETRY', turn, data: { keepThrough: await keepThrough(tx, runId, turn) } };
  const attempt = { attemptId, waiting: work.waiting !== null };
  if (turn === 1) acknowledgeStart(tx, runId);
  const attemptSeq = own ?? (await beginAttempt(tx, runId, attempt, mark));
  return {
    kind: 'WORK',
    work: {
      ...work,
      memories,
      run: { ...run, status: 'RUNNING', turn },
      attempts: before,
      attemptSeq,
      hidden,
      activeMs: turn === 1 && before === 0 ? 0 : activeMs,
    },
  };
}

/** The attempt, its event and the run's state, in one statement; the seq of the event. */
async function beginAttempt(
  tx: StoreTransaction,
  runId: string,
  { attemptId, waiting }: { readonly attemptId: string; readonly waiting: boolean },
  { kind, turn, data }: NewEvent,
): Promise<number> {
  if (kind !== 'ATTEMPT') tx.announce(runId, 'EVENTS');
  const { rows } = await sql<{ seq: number }>`
    with begun as (
      update runs set status = 'RUNNING', turn = ${turn}, event_seq = event_seq + 1,
        updated_at = case when status = 'QUEUED' then date_trunc('milliseconds', clock_timestamp()) else updated_at end
      where run_id = ${runId} returning run_id, org_id, event_seq
    ), marked as (
      insert into events (run_id, org_id, seq, kind, data, turn, at)
      select run_id, org_id, event_seq, ${kind}, ${JSON.stringify(data)}::jsonb, ${turn}, clock_timestamp() from begun
    )
    insert into attempts (attempt_id, run_id, org_id, turn, kind, waiting, event_seq)
    select ${attemptId}, run_id, org_id, ${turn}, 'MODEL', ${waiting}, event_seq from begun
    returning event_seq as seq`.execute(tx.db);
  const row = rows[0];
  if (row === undefined) throw new Error('an attempt begins on a run that is gone');
  return row.seq;
}

/** What a transcript would leave out. */
function missingBefore(turn: number, turns: readonly PastTurn[]): string | undefined {
  if (turns.length < turn - 1) return "a model's reply";
  const open = turns.flatMap((past) => past.calls.filter((call) => !hasOutcome(call.state)));
  return open.length > 0 ? 'the outcome of a call' : undefined;
}

const hasOutcome = (state: string | undefined): boolean =>
  state === 'SUCCEEDED' || state === 'FAILED' || state === 'REJECTED' || state === 'LEFT';

/** Once: later attempts and turns get the same, whatever is remembered meanwhile. */
async function takeMemories(
  tx: StoreTransaction,
  run: LockedRun,
  { agent, input }: Pick<TurnWork, 'agent' | 'input'>,
): Promise<readonly RunMemory[] | null> {
  if (agent.memory === undefined) return null;
  const memories = await memoriesForRun(tx, run, input);
  await sql`update runs set memories = ${JSON.stringify(memories)}::jsonb where run_id = ${run.runId}`.execute(
    tx.db,
  );
  return memories;
}

/** The event of an attempt that this transaction has begun when it was played before. */
async function ownAttempt(tx: StoreTransaction, attemptId: string): Promise<number | undefined> {
  const { rows } = await sql<Columns<'attempts', 'event_seq'>>`
    select event_seq from attempts where attempt_id = ${attemptId}`.execute(tx.db);
  return rows[0]?.event_seq ?? undefined;
}

interface TurnRow {
  readonly agent: AgentSnapshot;
  readonly options: RunOptions;
  readonly input: string;
  readonly hasMedia: boolean;
  readonly tokens: number;
  readonly activeMs: number;
  readonly faults: Readonly<Record<string, number>> | null;
  readonly onlyRateLimited: boolean;
  readonly waiting: Waiting | null;
  readonly attempts: number;
  readonly turns: readonly PastTurn[];
  readonly said: readonly SaidLater[];
  readonly memories: readonly RunMemory[] | null;
}

/** What a model call of a run is made of, whatever it is for. */
export async function readTurnRow(
  tx: StoreTransaction,
  runId: string,
  turn: number,
): Promise<TurnRow | undefined> {
  const { rows } = await sql<TurnRow>`
    select s.body as agent, r.options, r.input, r.memories, exists (select 1 from run_media m where m.run_id = r.run_id) as "hasMedia", r.prompt_tokens + r.completion_tokens - coalesce((r.budget_from->>'tokens')::int, 0) as tokens,
      ${activeMsSince(runId)} as "activeMs",
      (select jsonb_object_agg(f.model, f.n) from (
        -- A used-up quota is not asked again in this turn, whatever may be left of the attempts.
        select model, count(*) + ${QUOTA_USED_UP} * count(*) filter (where fault = 'QUOTA_EXHAUSTED') n from attempts a where a.run_id = r.run_id and a.turn = ${turn} and a.kind = 'MODEL' and a.fault is not null
          and a.started_at > coalesce(r.retried_at, '-infinity') group by model) f) as faults,
      not exists (select 1 from attempts a where a.run_id = r.run_id and a.turn = ${turn} and a.kind = 'MODEL'
        and a.started_at > coalesce(r.retried_at, '-infinity') and a.fault is not null and a.fault <> 'RATE_LIMITED') as "onlyRateLimited",
      case when (r.waiting->>'turn')::int = ${turn} then r.waiting end as waiting,
      (select count(*) from attempts a where a.run_id = r.run_id and a.turn = ${turn} and a.kind = 'MODEL') as attempts,
      coalesce((select jsonb_agg(jsonb_build_object('turn', t.turn, 'text', t.text, 'cameAs', t.came_as, 'calls', coalesce((
          select jsonb_agg(jsonb_build_object('callId', c.call_id, 'name', c.name, 'arguments', c.arguments, 'state', c.state, 'result', c.result,
            'proposedArguments', c.proposed_arguments, 'httpStatus', c.http_status) order by c.idx)
          from calls c where c.run_id = t.run_id and c.turn = t.turn), '[]')) order by t.turn)
        from turns t where t.run_id = r.run_id), '[]') as turns,
      coalesce((select jsonb_agg(jsonb_build_object('turn', w.turn, 'text', w.message) order by w.at)
        from withdrawals w where w.run_id = r.run_id and w.message is not null), '[]') as said
    from runs r join agent_snapshots s using (revision) where r.run_id = ${runId}`.execute(tx.db);
  return rows[0];
}

/** `row`: read under the lock of the run. */
export async function turnWorkOf(
  tx: StoreTransaction,
  run: LockedRun,
  row: TurnRow | undefined,
): Promise<(Omit<TurnWork, 'attemptSeq' | 'hidden'> & { readonly activeMs: number }) | undefined> {
  if (row === undefined) return undefined;
  const history = await readHistory(tx, run, row.agent.limits.historyTokens);
  return { ...row, run, history, faults: new Map(Object.entries(row.faults ?? {})) };
}

/** Whether an attempt at the turn has sent a delta. */
async function hasSpoken(tx: StoreTransaction, runId: string, turn: number): Promise<boolean> {
  const { rows } = await sql`
    select 1 from events e join deltas d on d.run_id = e.run_id and d.seq = e.seq
    where e.run_id = ${runId} and e.turn = ${turn} limit 1`.execute(tx.db);
  return rows.length > 0;
}
