// Starting a run and reading one. Ending is settle.ts's.

import { sql } from 'kysely';
import { OPEN } from './open-runs.ts';
import type { AgentSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import {
  isTerminal,
  type FailureCode,
  type RunFailure,
  type RunStatus,
  type TerminalStatus,
} from '../../contract/names.ts';
import type { AgentRunInput } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';
import { takeKey, type KeyUse } from './keys.ts';
import { attachMedia, type NewMedia } from './media.ts';
import { limitStart, type RunLimits } from './run-limits.ts';
import { addOutboxLine, type LeasedLine, type OutboxMessage, askedBy } from '../outbox.ts';

export interface NewRun {
  readonly runId: string;
  readonly orgId: string;
  readonly agent: AgentSnapshot;
  readonly userId: string;
  readonly startedBy: string;
  /** Of the token, where it is the user's own. Absent: not known. */
  readonly userRoles?: readonly string[];
  readonly sessionId: string;
  readonly input: string;
  readonly media?: readonly NewMedia[];
  readonly options: RunOptions;
  readonly generateFollowups: boolean;
  readonly requestId: string;
  /** W3C traceparent of the request. */
  readonly trace?: string;
  /** Where the session's run is paused. Absent: `reject`. */
  readonly onPaused?: 'reject' | 'queue' | 'withdraw';
  readonly key?: KeyUse;
  /** Absent: none. */
  readonly limits?: RunLimits;
  /** Of the line that starts it, if the process that starts it sends it itself. */
  readonly lease?: string;
  /**
   * Why a new run can't be started; a repeated request is still led to the run that it started
   * before.
   */
  readonly refusal?: AppError;
}

export interface RunOptions {
  readonly model?: string | undefined;
  readonly temperature?: number | undefined;
  readonly maxTokens?: number | undefined;
}

export type Started =
  | {
      readonly kind: 'STARTED';
      readonly runId: string;
      readonly released: boolean;
      /** To be sent by who holds the lease. */
      readonly line?: LeasedLine;
    }
  | { readonly kind: 'REPLAYED'; readonly runId: string };

type WorkflowOf = Pick<
  NewRun,
  'runId' | 'orgId' | 'agent' | 'sessionId' | 'options' | 'generateFollowups' | 'trace'
>;

export const workflowInput = (run: WorkflowOf): AgentRunInput => ({
  runId: run.runId,
  orgId: run.orgId,
  agentId: run.agent.id,
  sessionId: run.sessionId,
  model: run.options.model ?? run.agent.model,
  ...(run.generateFollowups ? { followUps: true } : {}),
  ...(run.trace === undefined ? {} : { trace: run.trace }),
  limits: run.agent.limits,
  approvals: run.agent.approvals,
});

/**
 * Session, run, key, event, audit and outbox line in one transaction; repeated with the same ids it
 * finds itself.
 */
export async function startRun(tx: StoreTransaction, run: NewRun): Promise<Started> {
  if (run.key !== undefined) {
    const earlier = await takeKey(tx, run.key, run.runId);
    if (earlier !== undefined) return { kind: 'REPLAYED', runId: earlier };
  }
  if (run.refusal !== undefined) throw run.refusal;
  const limited = limitStart(tx, run, run.limits);
  // Nothing comes back where this very transaction is played again.
  const session = await sql<Columns<'sessions', 'agent_id' | 'run_count'>>`
    insert into sessions (org_id, user_id, session_id, agent_id, run_count)
    select ${run.orgId}, ${run.userId}, ${run.sessionId}, ${run.agent.id}, 1
    where not exists (select 1 from runs where run_id = ${run.runId})
    on conflict (org_id, user_id, session_id) do update
      set run_count = sessions.run_count + 1, updated_at = date_trunc('milliseconds', now())
    returning agent_id, run_count`.execute(tx.db);
  const row = session.rows[0];
  if (row === undefined) return startedBefore(tx, run);
  const { agent_id: agentId, run_count: seq } = row;
  if (agentId !== run.agent.id)
    throw new AppError(
      'SESSION_OF_OTHER_AGENT',
      `This session began with the agent "${agentId}" and goes on with it only. Start a new session.`,
    );
  const before = seq === 1 ? undefined : await openRunOfSession(tx, run);
  if (before?.status === 'PAUSED' && run.onPaused !== 'queue')
    throw new AppError(
      'SESSION_PAUSED',
      `The run ${before.runId} of this session is paused and waits for a decision. Decide or cancel it first, or say by onPaused what is to become of this message.`,
    );

  await limited(before !== undefined);
  insertRun(tx, run, seq, before !== undefined);
  await attachMedia(tx, run, run.media ?? []);
  if (before !== undefined) return { kind: 'STARTED', runId: run.runId, released: false };
  addOutboxLine(tx, run.orgId, run.runId, startOf(run), run.lease);
  return { kind: 'STARTED', runId: run.runId, released: true, ...lineOf(run) };
}

const startOf = (run: NewRun): OutboxMessage => ({
  kind: 'START',
  input: workflowInput(run),
  asked: askedBy(run.userId, run.input),
});

const lineOf = (run: NewRun): { readonly line?: LeasedLine } =>
  run.lease === undefined ? {} : { line: { lease: run.lease, message: startOf(run) } };

/** With its snapshot, its first event and its audit line. */
function insertRun(tx: StoreTransaction, run: NewRun, seq: number, behind: boolean): void {
  tx.write(sql`
    with known as (
      insert into agent_snapshots (revision, body) values (${run.agent.revision}, ${JSON.stringify(run.agent)}::jsonb)
      on conflict (revision) do nothing
    ), made as (
      insert into runs (run_id, org_id, agent_id, user_id, started_by, session_id, session_seq, status, revision, input, options,
        generate_followups, request_id, event_seq, created_at, updated_at, user_roles, behind)
      values (${run.runId}, ${run.orgId}, ${run.agent.id}, ${run.userId}, ${run.startedBy}, ${run.sessionId}, ${seq}, 'QUEUED',
        ${run.agent.revision}, ${run.input}, ${JSON.stringify(run.options)}::jsonb, ${run.generateFollowups}, ${run.requestId}, 1,
        date_trunc('milliseconds', clock_timestamp()), date_trunc('milliseconds', clock_timestamp()),
        ${run.userRoles === undefined ? null : JSON.stringify(run.userRoles)}::jsonb, ${behind})
      returning run_id, org_id, created_at
    ), told as (
      insert into audit (org_id, run_id, actor, action, data)
      values (${run.orgId}, ${run.runId}, ${run.startedBy}, 'run.started',
        ${JSON.stringify({ userId: run.userId, agentId: run.agent.id, revision: run.agent.revision })}::jsonb)
    )
    insert into events (run_id, org_id, seq, kind, data, turn, at)
    select run_id, org_id, 1, 'START', ${JSON.stringify({ runId: run.runId, sessionId: run.sessionId })}::jsonb, 0, created_at from made`);
}

async function startedBefore(tx: StoreTransaction, run: NewRun): Promise<Started> {
  const { runId } = run;
  const { rows } = await sql<{ released: boolean }>`
    select exists (select 1 from outbox where run_id = ${runId} and kind = 'START') as released`.execute(
    tx.db,
  );
  const released = rows[0]?.released ?? false;
  return { kind: 'STARTED', runId, released, ...(released ? lineOf(run) : {}) };
}

interface SessionOfRun {
  readonly orgId: string;
  readonly userId: string;
  readonly sessionId: string;
}

async function openRunOfSession(
  tx: StoreTransaction,
  s: SessionOfRun,
): Promise<{ runId: string; status: RunStatus } | undefined> {
  const { rows } = await sql<Columns<'runs', 'run_id' | 'status'>>`
    select run_id, status from runs
    where org_id = ${s.orgId} and user_id = ${s.userId} and session_id = ${s.sessionId} and status in ${OPEN}
    order by session_seq limit 1`.execute(tx.db);
  return rows[0] && { runId: rows[0].run_id, status: rows[0].status };
}

/** In the transaction that ends a run: its session's next one, if that waits, may start. */
export async function releaseNextOfSession(
  tx: StoreTransaction,
  s: SessionOfRun,
): Promise<string | undefined> {
  const next = await openRunOfSession(tx, s);
  if (next?.status !== 'QUEUED') return undefined;
  const { rows } = await sql<
    Columns<'runs', 'generate_followups' | 'user_id'> & {
      question: string;
      agent: AgentSnapshot;
      options: RunOptions;
    }
  >`
    select s.body as agent, r.options, r.generate_followups, r.user_id, substr(r.input, 1, 201) as question from runs r join agent_snapshots s using (revision) where r.run_id = ${next.runId}`.execute(
    tx.db,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const input = workflowInput({
    runId: next.runId,
    orgId: s.orgId,
    sessionId: s.sessionId,
    agent: row.agent,
    options: row.options,
    generateFollowups: row.generate_followups,
  });
  const asked = askedBy(row.user_id, row.question);
  tx.write(sql`update runs set behind = false where run_id = ${next.runId} and behind`);
  addOutboxLine(tx, s.orgId, next.runId, { kind: 'START', input, asked });
  tx.announce(next.runId, 'STATUS');
  return next.runId;
}

/**
 * A QUEUED run without a start and with no open run before it: its release was lost with the
 * transaction that should have made it. Of these runs, those that are started by this.
 */
export async function releaseStranded(
  tx: StoreTransaction,
  runIds: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await sql<Columns<'runs', 'run_id'>>`
    select r.run_id from runs r where r.run_id = any(${runIds}) and r.status = 'QUEUED'
      and not exists (select 1 from outbox o where o.run_id = r.run_id and o.kind = 'START')
    order by r.run_id`.execute(tx.db);
  const released: string[] = [];
  for (const { run_id: runId } of rows) {
    const run = await lockSessionAndRun(tx, runId);
    if (run?.status !== 'QUEUED' || (await openRunOfSession(tx, run))?.runId !== runId) continue;
    await releaseNextOfSession(tx, run);
    released.push(runId);
  }
  return released;
}

/**
 * A lock on the run's row, as a statement of its own: what is decided is read after it. NO KEY: a
 * row updated twice in one transaction has its foreign keys looked at again, and a plain FOR UPDATE
 * on the session would deadlock with that.
 */
export interface LockedRun {
  readonly runId: string;
  readonly orgId: string;
  readonly userId: string;
  readonly startedBy: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly sessionSeq: number;
  readonly status: RunStatus;
  readonly pauseId: string | null;
  readonly pauses: number;
  readonly turn: number;
  readonly errorCode: FailureCode | null;
  readonly errorMessage: string | null;
  /** Counted from 1; one more each time that the run is taken up again. */
  readonly execution: number;
}

export async function lockRun(tx: StoreTransaction, runId: string): Promise<LockedRun | undefined> {
  const { rows } = await sql<LockedRun>`
    select run_id as "runId", org_id as "orgId", user_id as "userId", started_by as "startedBy", agent_id as "agentId",
      session_id as "sessionId", session_seq as "sessionSeq", status, pause_id as "pauseId", pauses, turn,
      error_code as "errorCode", error_message as "errorMessage", retries + 1 as execution
    from runs where run_id = ${runId} for no key update`.execute(tx.db);
  return rows[0];
}

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

/** Session before run, as everywhere: a terminal state releases the session's next run. */
export async function lockSessionAndRun(
  tx: StoreTransaction,
  runId: string,
): Promise<LockedRun | undefined> {
  tx.write(
    sql`select 1 from sessions s join runs r using (org_id, user_id, session_id) where r.run_id = ${runId} for no key update of s`,
  );
  return lockRun(tx, runId);
}
