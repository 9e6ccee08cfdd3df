// The store's row of a call is the one authority for decisions. Votes of people, an operator's
// signal and an expiry all lock the run's row first, so they have one order; the transaction that
// decides the last open call sets the run RUNNING again and writes the outbox line that wakes its
// workflow.

import { sql, type RawBuilder } from 'kysely';
import { EXPIRY, isTerminal } from '../../contract/names.ts';
import type { DecidedAs } from '../../contract/run.ts';
import type { StoreTransaction } from '../database/access.ts';
import { audit } from '../audit.ts';
import { hashOfCall } from './call-hash.ts';
import type { Edit } from './edits.ts';
import { appendEvents, type NewEvent } from '../events/events.ts';
import type { OpenCall } from './vote-policy.ts';
import { addOutboxLine } from '../outbox.ts';
import { shownDecision, type DecisionOfCall, type ShownDecision } from './shown-decisions.ts';
import { addDecidedDeliveries } from '../webhooks/new-deliveries.ts';
import type { LockedRun } from '../runs/runs.ts';

interface DecisionToMake {
  readonly action: DecidedAs;
  readonly by: readonly string[];
  readonly reason?: string | undefined;
  readonly edited?: Edit | undefined;
}

export async function decide(
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
  const text = d.edited?.text ?? stored.arguments;
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
          summary: d.edited.summary,
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
      proposed_arguments = ${d.edited === undefined ? null : stored.arguments}, unanswered = 0, result = ${result},
      summary = ${d.edited === undefined ? sql`summary` : sql`${d.edited.summary}::text`}
    where call_id = ${call.callId}`.execute(tx.db);
  audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: d.by.join(' '),
    action: AUDITED_AS[d.action],
    data: { callId: call.callId, pauseId: run.pauseId, hash, edited: d.edited !== undefined },
  });
  if (result !== null)
    appendEvents(tx, run.runId, endOfCall(call, { text, result, turn: stored.turn }));
}

const AUDITED_AS: Readonly<Record<DecidedAs, string>> = {
  APPROVE: 'call.approved',
  REJECT: 'call.rejected',
  WITHDRAWN: 'call.withdrawn',
};

/** Of a call that does not run: one whose outcome is unknown had its start said before. */
function endOfCall(
  { callId, name, kind }: OpenCall,
  { text, result, turn }: { readonly text: string; readonly result: string; readonly turn: number },
): readonly NewEvent[] {
  const start = { callId, name, arguments: JSON.parse(text) as unknown };
  const end = { callId, name, result, isError: true };
  return [
    ...(kind === 'OUTCOME_UNKNOWN' ? [] : [{ kind: 'TOOL_START', turn, data: start } as const]),
    { kind: 'TOOL_END', turn, data: end },
  ];
}

const refusalResult = (d: DecisionToMake): string =>
  d.action === 'WITHDRAWN'
    ? 'This call was not run: it was taken back by the user.'
    : d.by[0] === EXPIRY
      ? 'This call was not run: nobody approved it in time (expired).'
      : `This call was not run: ${d.by.join(', ')} rejected it${d.reason ? `: ${d.reason}` : '.'}`;
const leftResult = (evidence: string | null): string =>
  `It is not known whether this call happened${evidence === null ? '' : ` (${evidence})`}. It was not repeated.`;

/**
 * Calls whose time is over are rejected by the database's clock, whoever comes first to see it.
 * True if any was.
 */
export async function expireDue(tx: StoreTransaction, run: LockedRun): Promise<boolean> {
  if (run.status !== 'PAUSED') return false;
  const { rows } = await sql<OpenCall>`
    select c.call_id as "callId", c.name, p.kind, c.risk, c.approval = 'required' as guarded, c.arguments_hash as "argumentsHash", c.approvers,
      c.approvers_also as "approversAlso", c.quorum
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
export async function resumeIfDecided(
  tx: StoreTransaction,
  run: LockedRun,
  callIds: readonly string[],
): Promise<boolean> {
  if (run.pauseId === null) return false;
  tx.announceInbox(run.orgId);
  const resumed = await closePauseIfDecided(tx, run, run.pauseId);
  // Told last: the run's status is then what the decision made of it.
  addDecidedDeliveries(tx, run.runId, run.pauseId, callIds);
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
  const { rows: made } = await sql<{ decisions: readonly DecisionOfCall[] }>`
    select ${decisionsOf(pauseId)} as decisions`.execute(tx.db);
  const calls = (made[0]?.decisions ?? []).map(shownDecision);
  addOutboxLine(tx, run.orgId, run.runId, { kind: 'SIGNAL', pauseId, calls });
  return true;
}

/** As a part of a statement: an array of DecisionOfCall, in the order of the calls. */
const decisionsOf = (pauseId: string): RawBuilder<readonly DecisionOfCall[]> =>
  sql`coalesce((select jsonb_agg(jsonb_build_object('callId', d.call_id, 'tool', c.name, 'action', d.action,
      'by', d.deciders, 'reason', d.reason) order by c.idx)
    from decisions d join calls c using (call_id) where d.pause_id = ${pauseId}), '[]')`;

export interface PauseOutcome {
  /** False: the record has no such pause. It was never opened, or is forgotten by a failover. */
  readonly known: boolean;
  readonly open: boolean;
  readonly expiresInMs: number | null;
  readonly approved: readonly string[];
  readonly withdrawn: readonly string[];
  readonly decisions: readonly ShownDecision[];
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
  const { rows } = await sql<{
    open: boolean;
    expires_in_ms: number | null;
    decisions: readonly DecisionOfCall[];
  }>`
    select p.closed_at is null as open,
      (select min(extract(epoch from c.expires_at - clock_timestamp()) * 1000)::float8 from calls c where c.run_id = p.run_id and c.pause_id = p.pause_id) as expires_in_ms,
      ${decisionsOf(pauseId)} as decisions
    from pauses p where p.pause_id = ${pauseId} and p.run_id = ${run.runId}`.execute(tx.db);
  const row = rows[0];
  const decisions = (row?.decisions ?? []).map(shownDecision);
  const decidedAs = (action: DecidedAs): readonly string[] =>
    decisions.filter((made) => made.action === action).map(({ callId }) => callId);
  return {
    known: row !== undefined,
    open: row?.open ?? false,
    expiresInMs: row?.expires_in_ms == null ? null : Math.max(0, Math.ceil(row.expires_in_ms)),
    approved: decidedAs('APPROVE'),
    withdrawn: decidedAs('WITHDRAWN'),
    decisions,
  };
}
