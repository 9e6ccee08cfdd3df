// Casting votes: what has expired is decided first, then vote-policy.ts judges all of a request's
// votes, and they are written together or not at all.

import { sql } from 'kysely';
import type { AgentSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import type { PauseKind } from '../../contract/turn.ts';
import type { Giver } from '../../policy/covers.ts';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { createBesideVote } from '../grants/beside-vote.ts';
import { lockRun, type LockedRun } from '../runs/runs.ts';
import { decide, expireDue, resumeIfDecided } from './decisions.ts';
import { editOf, type CheckEdit, type Edit } from './edits.ts';
import {
  judgeVote,
  quorumOf,
  nameOf,
  type CastVote,
  type MadeDecision,
  type OpenCall,
  type Situation,
  type VoteOn,
  type Voter,
  type VoteRequest,
} from './vote-policy.ts';

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
  let writing = false;
  try {
    const verdict = judgeVote(situation, voter, request);
    const edits = new Map<string, Edit>();
    for (const { call, vote } of verdict)
      if (vote.arguments !== undefined) {
        const asked = { situation, agent, voter, call, vote, edited: vote.arguments };
        edits.set(call.callId, await editOf(tx, now, checkEdit, asked));
      }
    writing = true;
    for (const { call, vote } of verdict)
      await castOne(tx, now, situation, call, {
        ...{ id: request.id, vote, person: nameOf(voter), edited: edits.get(call.callId) },
      });
    for (const { call, vote } of verdict)
      if (vote.grant !== undefined && voter.kind === 'person')
        await createBesideVote(tx, now.orgId, agent, call, vote.grant, giverOf(voter));
    if (verdict.length > 0)
      await resumeIfDecided(
        tx,
        now,
        verdict.map(({ call }) => call.callId),
      );
    return { cast: 'DONE' };
  } catch (error) {
    // Refused while its votes are written, nothing of it stays; what has expired is found again.
    if (error instanceof AppError && expired && !writing) return { refused: error };
    throw error;
  }
}

const giverOf = ({ subject, roles, service }: Extract<Voter, { kind: 'person' }>): Giver => ({
  person: subject,
  roles,
  service,
});

async function isCast(tx: StoreTransaction, run: LockedRun, id: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from votes where run_id = ${run.runId} and request_id = ${id} limit 1`.execute(tx.db);
  return rows.length > 0;
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
          'guarded', c.approval = 'required', 'argumentsHash', c.arguments_hash, 'approvers', c.approvers,
          'approversAlso', c.approvers_also, 'quorum', c.quorum) order by c.turn, c.idx)
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
  readonly edited: Edit | undefined;
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
  if (approvers.length >= quorumOf(s, call))
    await decide(tx, run, call, { action: 'APPROVE', by: approvers, reason: vote.reason, edited });
}
