// The store's row of a call is the one authority for decisions. Votes of people, an operator's
// signal and an expiry all lock the run's row first, so they have one order; the transaction that
// decides the last open call sets the run RUNNING again and writes the outbox line that wakes its
// workflow.

import { sql } from 'kysely';
import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import { EXPIRY, isTerminal } from '../../contract/names.ts';
import type { Action } from '../../contract/run.ts';
import type { PauseKind } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';
import { audit } from '../audit.ts';
import { hashOfCall } from './call-hash.ts';
import { appendEvents, type NewEvent } from '../events/events.ts';
import {
  judgeVote,
  nameOf,
  type CastVote,
  type MadeDecision,
  type OpenCall,
  type Situation,
  type VoteOn,
  type Voter,
  type VoteRequest,
} from './vote-policy.ts';
import { addOutboxLine } from '../outbox.ts';
import { tellDecided } from '../webhooks/tell.ts';
import { lockRun, type LockedRun } from '../runs/runs.ts';

/** Checks an approver's edit against the tool's schema; its canonical text, or what is wrong. */
export type CheckEdit = (
  tool: ToolSnapshot,
  edited: Readonly<Record<string, unknown>>,
) => { readonly canonical: string } | { readonly problem: string };

/**
 * A refusal that must not undo what was found on the way (an expiry): returned, so that the
 * transaction commits, and thrown after.
 */
export type CastResult = { readonly cast: 'DONE' } | { readonly refused: AppError };

export async function castVotes(
  tx: StoreTransaction,
  run: LockedRun,
  voter: Voter,
  request: VoteRequest,
  checkEdit: CheckEdit,
): Promise<CastResult> {
  if (request.id !== undefined && (await isCast(tx, run, request.id))) return { cast: 'DONE' };
  const expired = await expireDue(tx, run);
  const now = expired ? ((await lockRun(tx, run.runId)) ?? run) : run;
  const { situation, agent } = await readSituation(tx, now);
  try {
    const verdict = judgeVote(situation, voter, request);
    const edits = new Map(
      verdict.flatMap(({ call, vote }) =>
        vote.arguments
          ? [[call.callId, editOf(agent, call, vote.arguments, checkEdit)] as const]
          : [],
      ),
    );
    for (const { call, vote } of verdict)
      await castOne(tx, now, situation, call, {
        ...{ id: request.id, vote, person: nameOf(voter), edited: edits.get(call.callId) },
      });
    if (verdict.length > 0)
      await resumeIfDecided(
        tx,
        now,
        verdict.map(({ call }) => call.callId),
      );
    return { cast: 'DONE' };
  } catch (error) {
    if (error instanceof AppError && expired) return { refused: error };
    throw error;
  }
}

async function isCast(tx: StoreTransaction, run: LockedRun, id: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from votes where run_id = ${run.runId} and request_id = ${id} limit 1`.execute(tx.db);
  return rows.length > 0;
}

function editOf(
  agent: AgentSnapshot,
  call: OpenCall,
  edited: Readonly<Record<string, unknown>>,
  checkEdit: CheckEdit,
): string {
  const tool = agent.tools.find((t) => t.name === call.name);
  const checked =
    tool === undefined ? { problem: 'the tool is not known any more' } : checkEdit(tool, edited);
  if ('problem' in checked)
    throw new AppError(
      'INVALID_REQUEST',
      `The edited arguments of ${call.callId} do not fit the tool: ${checked.problem}`,
      {
        errors: [{ path: 'arguments', message: checked.problem }],
      },
    );
  return checked.canonical;
}

async function readSituation(
  tx: StoreTransaction,
  run: LockedRun,
): Promise<{ situation: Situation; agent: AgentSnapshot }> {
  const { rows } = await sql<{
    agent: AgentSnapshot;
    open: OpenCall[];
    votes: CastVote[];
    decisions: MadeDecision[];
    pauses: { id: string; kind: PauseKind }[];
  }>`
    select s.body as agent,
      coalesce((select jsonb_agg(jsonb_build_object('callId', c.call_id, 'name', c.name, 'kind', p.kind, 'risk', c.risk,
          'guarded', c.approval = 'required', 'argumentsHash', c.arguments_hash, 'approvers', c.approvers) order by c.turn, c.idx)
        from calls c join pauses p on p.pause_id = c.pause_id where c.run_id = r.run_id), '[]') as open,
      coalesce((select jsonb_agg(jsonb_build_object('pauseId', v.pause_id, 'callId', v.call_id, 'person', v.person, 'action', v.action) order by v.at)
        from votes v where v.run_id = r.run_id), '[]') as votes,
      coalesce((select jsonb_agg(jsonb_build_object('pauseId', d.pause_id, 'callId', d.call_id, 'action', d.action, 'by', d.deciders,
          'at', to_char(d.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by d.at)
        from decisions d where d.run_id = r.run_id), '[]') as decisions,
      coalesce((select jsonb_agg(jsonb_build_object('id', p.pause_id, 'kind', p.kind) order by p.turn, p.n)
        from pauses p where p.run_id = r.run_id), '[]') as pauses
    from runs r join agent_snapshots s using (revision) where r.run_id = ${run.runId}`.execute(
    tx.db,
  );
  const row = rows[0];
  if (row === undefined) throw new AppError('NOT_FOUND', 'There is no such run.');
  const { agent, pauses, ...rest } = row;
  return {
    agent,
    situation: {
      ...rest,
      status: run.status,
      pauseId: run.pauseId,
      startedBy: run.startedBy,
      userId: run.userId,
      quorum: agent.approvals.quorum,
      fourEyes: agent.approvals.fourEyes,
      pauses: new Map(pauses.map((p) => [p.id, p.kind])),
    },
  };
}

interface VoteToWrite {
  readonly id: string | undefined;
  readonly vote: VoteOn;
  readonly person: string;
  readonly edited: string | undefined;
}

async function castOne(
  tx: StoreTransaction,
  run: LockedRun,
  s: Situation,
  call: OpenCall,
  { id, vote, person, edited }: VoteToWrite,
): Promise<void> {
  const pauseId = run.pauseId ?? '';
  await sql`
    insert into votes (pause_id, call_id, person, run_id, org_id, action, reason, request_id, at)
    values (${pauseId}, ${call.callId}, ${person}, ${run.runId}, ${run.orgId}, ${vote.action}, ${vote.reason ?? null}, ${id ?? null},
      clock_timestamp())
    on conflict (pause_id, call_id, person) do update set action = excluded.action, reason = excluded.reason,
      request_id = excluded.request_id, at = excluded.at`.execute(tx.db);
  audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: person,
    action: 'call.vote',
    data: { callId: call.callId, pauseId, vote: vote.action, hash: call.argumentsHash },
  });
  const earlier = s.votes.filter(
    (v) =>
      v.pauseId === pauseId &&
      v.callId === call.callId &&
      v.action === 'APPROVE' &&
      v.person !== person,
  );
  const approvers = [...earlier.map((v) => v.person), person];
  if (vote.action === 'REJECT')
    return decide(tx, run, call, { action: 'REJECT', by: [person], reason: vote.reason });
  const needed = call.kind === 'OUTCOME_UNKNOWN' ? 1 : s.quorum;
  if (approvers.length >= needed)
    await decide(tx, run, call, { action: 'APPROVE', by: approvers, reason: vote.reason, edited });
}

interface DecisionToMake {
  readonly action: Action;
  readonly by: readonly string[];
  readonly reason?: string | undefined;
  readonly edited?: string | undefined;
}

async function decide(
  tx: StoreTransaction,
  run: LockedRun,
  call: OpenCall,
  d: DecisionToMake,
): Promise<void> {
  const { rows } = await sql<{
    arguments: string;
    tool_version: string;
    turn: number;
    evidence: string | null;
  }>`
    select arguments, tool_version, turn, evidence from calls where call_id = ${call.callId} for no key update`.execute(
    tx.db,
  );
  const stored = rows[0];
  if (stored === undefined) return;
  const text = d.edited ?? stored.arguments;
  // What was shown is what is approved: the hash the voters saw, unless one of them changed the
  // arguments.
  const hash =
    d.edited === undefined
      ? call.argumentsHash
      : hashOfCall({
          orgId: run.orgId,
          runId: run.runId,
          callId: call.callId,
          tool: call.name,
          toolVersion: stored.tool_version,
          arguments: text,
        });
  await sql`
    insert into decisions (pause_id, call_id, run_id, org_id, action, deciders, reason, arguments_hash, proposed_arguments, at)
    values (${run.pauseId}, ${call.callId}, ${run.runId}, ${run.orgId}, ${d.action}, ${JSON.stringify(d.by)}::jsonb, ${d.reason ?? null}, ${hash},
      ${d.edited === undefined ? null : stored.arguments}, date_trunc('milliseconds', clock_timestamp()))
    on conflict (pause_id, call_id) do nothing`.execute(tx.db);
  const unknown = call.kind === 'OUTCOME_UNKNOWN';
  const state = d.action === 'APPROVE' ? 'APPROVED' : unknown ? 'LEFT' : 'REJECTED';
  const result =
    d.action === 'APPROVE' ? null : unknown ? leftResult(stored.evidence) : refusalResult(d);
  await sql`
    update calls set state = ${state}, decided_pause_id = pause_id, pause_id = null, arguments = ${text}, arguments_hash = ${hash},
      proposed_arguments = ${d.edited === undefined ? null : stored.arguments}, unanswered = 0, result = ${result}
    where call_id = ${call.callId}`.execute(tx.db);
  audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: d.by.join(' '),
    action: `call.${d.action === 'APPROVE' ? 'approved' : 'rejected'}`,
    data: { callId: call.callId, pauseId: run.pauseId, hash, edited: d.edited !== undefined },
  });
  if (result === null) return;
  const events: NewEvent[] = [];
  if (!unknown)
    events.push({
      kind: 'TOOL_START',
      turn: stored.turn,
      data: { callId: call.callId, name: call.name, arguments: JSON.parse(text) as unknown },
    });
  events.push({
    kind: 'TOOL_END',
    turn: stored.turn,
    data: { callId: call.callId, name: call.name, result, isError: true },
  });
  appendEvents(tx, run.runId, events);
}

const refusalResult = (d: DecisionToMake): string =>
  d.by[0] === EXPIRY
    ? 'This call was not run: nobody approved it in time (expired).'
    : `This call was not run: ${d.by.join(', ')} rejected it${d.reason ? `: ${d.reason}` : '.'}`;
const leftResult = (evidence: string | null): string =>
  `It is not known whether this call happened${evidence === null ? '' : ` (${evidence})`}. It was not repeated.`;

/**
 * Calls whose time is over are rejected by the database's clock, whoever comes first to see it.
 * True if any was.
 */
async function expireDue(tx: StoreTransaction, run: LockedRun): Promise<boolean> {
  if (run.status !== 'PAUSED') return false;
  const { rows } = await sql<OpenCall>`
    select c.call_id as "callId", c.name, p.kind, c.risk, c.approval = 'required' as guarded, c.arguments_hash as "argumentsHash", c.approvers
    from calls c join pauses p on p.pause_id = c.pause_id
    where c.run_id = ${run.runId} and c.expires_at <= clock_timestamp() order by c.idx`.execute(
    tx.db,
  );
  for (const call of rows)
    await decide(tx, run, call, { action: 'REJECT', by: [EXPIRY], reason: 'expired' });
  const callIds = rows.map((call) => call.callId);
  if (rows.length > 0) await resumeIfDecided(tx, run, callIds);
  return rows.length > 0;
}

/** After votes on these calls, or their expiry. */
async function resumeIfDecided(
  tx: StoreTransaction,
  run: LockedRun,
  callIds: readonly string[],
): Promise<boolean> {
  if (run.pauseId === null) return false;
  tx.announceInbox(run.orgId);
  const resumed = await closePauseIfDecided(tx, run, run.pauseId);
  // Told last: the run's status is then what the decision made of it.
  tellDecided(tx, run.runId, run.pauseId, callIds);
  return resumed;
}

async function closePauseIfDecided(
  tx: StoreTransaction,
  run: LockedRun,
  pauseId: string,
): Promise<boolean> {
  const { rows } = await sql<{ turn: number }>`
    update pauses set closed_at = clock_timestamp() where pause_id = ${pauseId} and closed_at is null
      and not exists (select 1 from calls where run_id = ${run.runId} and pause_id = ${pauseId}) returning turn`.execute(
    tx.db,
  );
  if (rows.length === 0) {
    tx.announce(run.runId, 'EVENTS');
    await sql`update runs set updated_at = date_trunc('milliseconds', clock_timestamp()) where run_id = ${run.runId}`.execute(
      tx.db,
    );
    return false;
  }
  await sql`update runs set status = 'RUNNING', pause_id = null, updated_at = date_trunc('milliseconds', clock_timestamp()) where run_id = ${run.runId}`.execute(
    tx.db,
  );
  appendEvents(tx, run.runId, [{ kind: 'RESUMED', turn: rows[0]?.turn ?? 0, data: { pauseId } }]);
  const { rows: calls } = await sql<{ callId: string; action: Action }>`
    select d.call_id as "callId", d.action from decisions d join calls c using (call_id)
    where d.pause_id = ${pauseId} order by c.idx`.execute(tx.db);
  addOutboxLine(tx, run.orgId, run.runId, { kind: 'SIGNAL', pauseId, calls });
  return true;
}

export interface PauseOutcome {
  /** False: the record has no such pause. It was never opened, or is forgotten by a failover. */
  readonly known: boolean;
  readonly open: boolean;
  readonly expiresInMs: number | null;
  readonly approved: readonly string[];
}

/**
 * What a pause has come to, expiries included. For the workflow, which trusts no signal's words.
 */
export async function readPause(
  tx: StoreTransaction,
  run: LockedRun,
  pauseId: string,
): Promise<PauseOutcome> {
  if (!isTerminal(run.status)) await expireDue(tx, run);
  const { rows } = await sql<{ open: boolean; expires_in_ms: number | null; approved: string[] }>`
    select p.closed_at is null as open,
      (select min(extract(epoch from c.expires_at - clock_timestamp()) * 1000)::float8 from calls c where c.run_id = p.run_id and c.pause_id = p.pause_id) as expires_in_ms,
      coalesce((select jsonb_agg(d.call_id order by c.idx) from decisions d join calls c using (call_id)
        where d.pause_id = p.pause_id and d.action = 'APPROVE'), '[]') as approved
    from pauses p where p.pause_id = ${pauseId} and p.run_id = ${run.runId}`.execute(tx.db);
  const row = rows[0];
  return {
    known: row !== undefined,
    open: row?.open ?? false,
    expiresInMs: row?.expires_in_ms == null ? null : Math.max(0, Math.ceil(row.expires_in_ms)),
    approved: row?.approved ?? [],
  };
}
