// Takes a FAILED run up again: the same run, a new execution of its workflow from the last turn
// whose reply was recorded. In one transaction with the calls that are open once more, the event,
// the audit line and the outbox line that starts the execution.

import { sql } from 'kysely';
import type { AgentSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import { audit } from '../audit.ts';
import { reopenCalls } from '../calls/reopen.ts';
import type { StoreTransaction } from '../database/access.ts';
import { appendEvents } from '../events/events.ts';
import { addOutboxLine } from '../outbox.ts';
import { activeMs } from '../turns/attempts.ts';
import { takeKey, type KeyUse } from './keys.ts';
import { readSlots, refuseOverLimits, type RunLimits } from './run-limits.ts';
import { lockSessionAndRun, workflowInput, type LockedRun, type RunOptions } from './runs.ts';

export interface RetryRequest {
  readonly runId: string;
  readonly by: string;
  /** Made by the caller, so that a repeated transaction finds itself. */
  readonly retryId: string;
  readonly key?: KeyUse | undefined;
  /** Absent: none. */
  readonly limits?: RunLimits | undefined;
}

export type Retried = { readonly kind: 'TAKEN_UP' } | { readonly kind: 'REPLAYED' };

export async function retryRun(tx: StoreTransaction, request: RetryRequest): Promise<Retried> {
  const { runId, by, retryId, key, limits } = request;
  const run = await lockSessionAndRun(tx, runId);
  if (run === undefined) throw new AppError('NOT_FOUND', 'There is no such run.');
  const before = await readProgress(tx, run);
  if (before.retryId === retryId) return { kind: 'TAKEN_UP' };
  if (key !== undefined && (await takeKey(tx, key, runId)) !== undefined)
    return { kind: 'REPLAYED' };
  await refuseUnlessNext(tx, run);
  if (limits !== undefined)
    await refuseOverLimits(tx, run, limits, await readSlots(tx, run, limits));

  await reopenCalls(tx, run);
  const used = run.errorCode === 'BUDGET_EXCEEDED' ? await readUsed(tx, run, before) : null;
  await sql`update runs set status = 'QUEUED', error_code = null, error_message = null, closed_at = null,
      retries = retries + 1, retry_id = ${retryId}, retried_at = clock_timestamp(),
      budget_from = coalesce(${used === null ? null : JSON.stringify(used)}::jsonb, budget_from),
      updated_at = date_trunc('milliseconds', clock_timestamp()) where run_id = ${runId}`.execute(
    tx.db,
  );
  appendEvents(tx, runId, [{ kind: 'RETRIED', turn: run.turn, data: { by } }]);
  audit(tx, {
    orgId: run.orgId,
    runId,
    actor: by,
    action: 'run.retried',
    data: { execution: run.execution + 1, after: run.errorCode },
  });
  await startAgain(tx, run, before, used ?? before.budgetFrom ?? NOTHING_USED);
  return { kind: 'TAKEN_UP' };
}

async function refuseUnlessNext(tx: StoreTransaction, run: LockedRun): Promise<void> {
  if (run.status !== 'FAILED')
    throw new AppError(
      'NOT_FAILED',
      `The run is ${run.status}. Only a FAILED run can be taken up again.`,
    );
  // One that was cancelled before it began has left nothing in the session.
  const { rows } = await sql`
    select 1 from runs where org_id = ${run.orgId} and user_id = ${run.userId} and session_id = ${run.sessionId}
      and session_seq > ${run.sessionSeq} and not (status = 'CANCELLED' and turn = 0) limit 1`.execute(
    tx.db,
  );
  if (rows.length > 0)
    throw new AppError(
      'SESSION_WENT_ON',
      'A later run of this session has started. Ask again in the session instead.',
    );
}

/** What a budget is counted from. */
interface Used {
  readonly turns: number;
  readonly toolCalls: number;
  readonly tokens: number;
  readonly activeMs: number;
  readonly rejections: Readonly<Record<string, number>>;
}

const NOTHING_USED: Used = { turns: 0, toolCalls: 0, tokens: 0, activeMs: 0, rejections: {} };

interface Progress {
  readonly retryId: string | null;
  readonly agent: AgentSnapshot;
  readonly options: RunOptions;
  readonly generateFollowups: boolean;
  readonly budgetFrom: Used | null;
  /** The last one whose reply was recorded; 0: none. */
  readonly turn: number;
  readonly pauses: number;
  /** Of the turns before it. */
  readonly toolCalls: number;
  readonly rejections: Readonly<Record<string, number>>;
}

async function readProgress(tx: StoreTransaction, { runId }: LockedRun): Promise<Progress> {
  const { rows } = await sql<Progress>`
    select r.retry_id::text as "retryId", s.body as agent, r.options, r.generate_followups as "generateFollowups",
      r.budget_from as "budgetFrom", last.turn,
      (select coalesce(max(p.n), 0) from pauses p where p.run_id = r.run_id and p.turn = last.turn) as pauses,
      (select count(*)::int from calls c where c.run_id = r.run_id and c.turn < last.turn) as "toolCalls",
      coalesce((select jsonb_object_agg(name, n) from (
        select c.name, count(*) as n from decisions d join pauses p on p.pause_id = d.pause_id join calls c on c.call_id = d.call_id
        where d.run_id = r.run_id and d.action = 'REJECT' and p.kind = 'APPROVAL' group by c.name) rejected), '{}') as rejections
    from runs r join agent_snapshots s using (revision)
      cross join lateral (select coalesce(max(t.turn), 0) as turn from turns t where t.run_id = r.run_id) last
    where r.run_id = ${runId}`.execute(tx.db);
  const row = rows[0];
  if (row === undefined) throw new AppError('NOT_FOUND', 'There is no such run.');
  return row;
}

/** After its budget was used up, the run has one more: as full as the first. */
async function readUsed(
  tx: StoreTransaction,
  { runId }: LockedRun,
  { turn, rejections }: Progress,
): Promise<Used> {
  const { rows } = await sql<Omit<Used, 'turns' | 'rejections'>>`
    select prompt_tokens + completion_tokens as tokens, ${activeMs(runId)} as "activeMs",
      (select count(*)::int from calls c where c.run_id = r.run_id and c.state not in ('PROPOSED', 'APPROVED')) as "toolCalls"
    from runs r where run_id = ${runId}`.execute(tx.db);
  return { ...NOTHING_USED, ...rows[0], turns: turn, rejections };
}

async function startAgain(
  tx: StoreTransaction,
  run: LockedRun,
  before: Progress,
  from: Used,
): Promise<void> {
  const input = workflowInput({ ...before, ...run });
  const { limits } = input;
  addOutboxLine(tx, run.orgId, run.runId, {
    kind: 'START',
    input: {
      ...input,
      limits: {
        ...limits,
        maxTurns: limits.maxTurns + from.turns,
        maxToolCalls: limits.maxToolCalls + from.toolCalls,
      },
      takenUp: {
        execution: run.execution + 1,
        fromTurn: Math.max(1, before.turn),
        pauses: before.pauses,
        toolCalls: before.toolCalls,
        rejections: less(before.rejections, from.rejections),
      },
    },
  });
}

const less = (
  all: Readonly<Record<string, number>>,
  some: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(all).map(([tool, n]) => [tool, n - (some[tool] ?? 0)]));
