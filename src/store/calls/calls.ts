// The ledger: a call is claimed before it is dispatched, with a number that fences off older
// attempts, and its outcome is recorded once. PROPOSED -> DISPATCHING (unguarded) or APPROVED ->
// DISPATCHING(n) -> SUCCEEDED, FAILED, UNKNOWN; back to PROPOSED where it is no longer what was
// approved.

import { sql } from 'kysely';
import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import type { RunFailure, TerminalStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import { audit } from '../audit.ts';
import { appendEvents } from '../events/events.ts';
import { endedAs, type LockedRun } from '../runs/runs.ts';
import { hashNow, lockRunAndCall, type CallRow } from './call-row.ts';
import { keptByEffect } from './effects.ts';
import { takeGrant } from '../grants/take.ts';
import { changeOf, proposeAgain, type ToolNow } from './changed-calls.ts';
import { finish, unanswered } from './outcomes.ts';

export interface ClaimedCall {
  readonly n: number;
  readonly turn: number;
  readonly tool: ToolSnapshot;
  /** Canonical JSON. */
  readonly arguments: string;
  /** The hash the dispatch is bound to. */
  readonly hash: string;
  readonly orgId: string;
  readonly userId: string;
  readonly leftMs: number;
  /**
   * May be repeated, and waits for no person: what the last look before the write would find is in
   * the claim.
   */
  readonly mayGo: boolean;
  /** What the agent's built-in tools may reach. */
  readonly reach: Pick<AgentSnapshot, 'knowledge' | 'memory'>;
}

export type Claim =
  | { readonly kind: 'DISPATCH'; readonly call: ClaimedCall }
  /** Its tool is another server's: what that declares of it now is to be given with the claim. */
  | { readonly kind: 'LOOK'; readonly tool: ToolSnapshot }
  | { readonly kind: 'DONE'; readonly result: string }
  | { readonly kind: 'UNKNOWN' }
  | { readonly kind: 'ASK_AGAIN' }
  /** The effect that it would have is another call's, of which it is not known what became. */
  | { readonly kind: 'EFFECT_WAITS' }
  /** Another worker has it under way and lives. */
  | { readonly kind: 'UNDER_WAY' }
  | { readonly kind: 'TIME_OVER' }
  | { readonly kind: 'GONE' }
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure };

export interface ClaimRequest {
  readonly runId: string;
  readonly callId: string;
  readonly attemptId: string;
  /** Made within the workflow's own task. */
  readonly inPlace?: boolean;
  /** The version of the tool as this worker has it; undefined where a tool has none of its own. */
  readonly versionNow: (tool: ToolSnapshot) => string | undefined;
  /** Of a tool of a server: what that declares now. Absent: it was not asked yet. */
  readonly looked?: ToolNow | 'UNREACHED' | undefined;
}

export async function claimCall(tx: StoreTransaction, request: ClaimRequest): Promise<Claim> {
  const { runId, callId } = request;
  const [run, row] = await lockRunAndCall(tx, runId, callId);
  if (run === undefined || row === undefined) return { kind: 'GONE' };
  if (
    row.state === 'SUCCEEDED' ||
    row.state === 'FAILED' ||
    row.state === 'REJECTED' ||
    row.state === 'LEFT'
  )
    return { kind: 'DONE', result: row.result ?? '' };
  const ended = endedAs(run);
  if (ended !== undefined) return ended;
  if (row.state === 'UNKNOWN') return { kind: 'UNKNOWN' };
  // The reply to this very claim's commit was lost, and it is asked for again: nothing has gone out
  // under it yet.
  const last = row.state === 'DISPATCHING' ? await lastAttempt(tx, request) : undefined;
  const own = last?.own === true;
  if (last?.lives === true && !own) return { kind: 'UNDER_WAY' };
  // A worker that stalled or died after its claim, and was not let to write yet, has done nothing:
  // the number of the next claim keeps it from doing so.
  const unsent = row.state === 'DISPATCHING' && row.unsent_n === row.dispatch_n;
  if (row.state === 'DISPATCHING' && !own && !unsent) {
    // An earlier attempt went out and never came back.
    const verdict = await unanswered(
      tx,
      run,
      callId,
      row,
      'the worker that made the call stopped before the answer came',
    );
    if (verdict.kind !== 'AGAIN') return verdict;
  }
  const tool = row.agent.tools.find((t) => t.name === row.name);
  const unasked = row.approval === 'required' && row.state === 'PROPOSED';
  // What was changed after an approval is asked about; a grant is no answer to that.
  if (unasked && row.asked_again !== null) return { kind: 'ASK_AGAIN' };
  if (tool === undefined) return { kind: unasked ? 'ASK_AGAIN' : 'GONE' };
  const now = toolNow(tool, request);
  if (now === 'LOOK') return { kind: 'LOOK', tool };
  // Under a grant it is dispatched as it was proposed.
  const approved = unasked ? { ...row, approved_hash: row.arguments_hash } : row;
  const changed = await changeOf(tx, run, callId, approved, tool, now);
  if (changed !== undefined) return changed;
  const leftMs = row.agent.limits.timeoutMs - row.active_ms;
  if (leftMs <= 0) return { kind: 'TIME_OVER' };
  const kept = await keptByEffect(tx, run, tool, { callId, arguments: row.arguments });
  if (kept?.kind === 'WAITS') return { kind: 'EFFECT_WAITS' };
  if (kept !== undefined) {
    finish(tx, run, callId, row, { state: 'FAILED', result: kept.result });
    return { kind: 'DONE', result: kept.result };
  }
  if (unasked && !(await takesGrant(tx, run, callId, row, tool))) return { kind: 'ASK_AGAIN' };
  if (!own) recordClaim(tx, run, row, request);
  const n = own ? row.dispatch_n : row.dispatch_n + 1;
  const hash = approved.approved_hash ?? row.arguments_hash;
  return { kind: 'DISPATCH', call: { ...claimedCall(run, row), n, tool, hash, leftMs } };
}

const claimedCall = (
  { orgId }: LockedRun,
  row: CallRow,
): Omit<ClaimedCall, 'n' | 'tool' | 'hash' | 'leftMs'> => ({
  turn: row.turn,
  arguments: row.arguments,
  orgId,
  userId: row.user_id,
  mayGo: mayGo(row),
  reach: {
    ...(row.agent.knowledge === undefined ? {} : { knowledge: row.agent.knowledge }),
    ...(row.agent.memory === undefined ? {} : { memory: row.agent.memory }),
  },
});

/** A use is taken here, where the call is dispatched; one that does not count is told to people. */
async function takesGrant(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  tool: ToolSnapshot,
): Promise<boolean> {
  const call = { ...row, callId, hash: row.arguments_hash };
  const taken = await takeGrant(tx, run, row.agent, tool, call);
  if (taken.kind === 'TAKEN') return true;
  const near = taken.near.length === 0 ? null : JSON.stringify(taken.near);
  tx.write(sql`update calls set grants_near = ${near}::jsonb where call_id = ${callId}`);
  return false;
}

function toolNow(tool: ToolSnapshot, request: ClaimRequest): ToolNow | undefined | 'LOOK' {
  if (tool.kind !== 'mcp') {
    const version = request.versionNow(tool);
    return version === undefined ? undefined : { version };
  }
  if (request.looked === undefined) return 'LOOK';
  // Nothing will be sent to a server that did not say what it declares.
  return request.looked === 'UNREACHED' ? undefined : request.looked;
}

/** Nobody was asked, and done twice it is the same. */
const mayGo = (row: CallRow): boolean => row.approval === 'never' && row.retry !== 'never';

function recordClaim(
  tx: StoreTransaction,
  run: LockedRun,
  row: CallRow,
  { runId, callId, attemptId, inPlace = false }: ClaimRequest,
): void {
  tx.write(sql`
    with claimed as (
      update calls set state = 'DISPATCHING', dispatch_n = dispatch_n + 1, unsent_n = ${mayGo(row) ? null : row.dispatch_n + 1}::int,
        dispatched_at = coalesce(dispatched_at, clock_timestamp()) where call_id = ${callId}
    )
    insert into attempts (attempt_id, run_id, org_id, turn, kind, call_id, in_place)
    values (${attemptId}, ${runId}, ${run.orgId}, ${row.turn}, 'TOOL', ${callId}, ${inPlace}) on conflict do nothing`);
  if (row.dispatch_n === 0)
    appendEvents(tx, runId, [
      {
        kind: 'TOOL_START',
        turn: row.turn,
        data: { callId, name: row.name, arguments: JSON.parse(row.arguments) as unknown },
      },
    ]);
  if (mayGo(row)) goesOut(tx, run, { callId, n: row.dispatch_n + 1, hash: row.arguments_hash });
}

interface LastAttempt {
  readonly own: boolean;
  /** Begun within a workflow task, and its worker has said since that it lives. */
  readonly lives: boolean;
}

/** A worker that lives says so every two seconds. */
const SILENT_AFTER_S = 5;

async function lastAttempt(
  tx: StoreTransaction,
  { runId, callId, attemptId }: ClaimRequest,
): Promise<LastAttempt | undefined> {
  const { rows } = await sql<LastAttempt>`
    select attempt_id = ${attemptId} as own,
      in_place and ended_at is null and beat_at > clock_timestamp() - make_interval(secs => ${SILENT_AFTER_S}) as lives
    from attempts where run_id = ${runId} and call_id = ${callId} order by started_at desc limit 1`.execute(
    tx.db,
  );
  return rows[0];
}

export type ClaimCheck = 'GO' | 'ASK_AGAIN' | 'LOST';

/**
 * Once more, immediately before the bytes are written: the claim, the run and the text that the
 * claim is bound to.
 */
export async function checkClaim(
  tx: StoreTransaction,
  runId: string,
  callId: string,
  claimed: ClaimedCall,
): Promise<ClaimCheck> {
  const [run, row] = await lockRunAndCall(tx, runId, callId);
  if (run === undefined || row === undefined) return 'LOST';
  // This very look, played again, has proposed it again.
  if (row.state === 'PROPOSED' && row.dispatch_n === claimed.n && row.asked_again !== null)
    return 'ASK_AGAIN';
  if (endedAs(run) !== undefined || row.state !== 'DISPATCHING' || row.dispatch_n !== claimed.n) {
    return 'LOST';
  }
  if (hashNow(run, callId, row) === claimed.hash && row.arguments === claimed.arguments)
    return letWrite(tx, run, callId, row);
  if (row.approval === 'required') {
    const tool = row.agent.tools.find((t) => t.name === row.name);
    const again = await proposeAgain(tx, run, callId, row, 'ARGUMENTS_CHANGED', {
      ...{ policy: row, toolVersion: undefined },
      ...(tool === undefined ? {} : { tool }),
    });
    return again.kind === 'ASK_AGAIN' ? 'ASK_AGAIN' : 'LOST';
  }
  finish(tx, run, callId, row, {
    state: 'FAILED',
    result:
      'This call was not run: its stored arguments were changed after the model had asked for it.',
  });
  return 'LOST';
}

/** From here on the call may have happened, whatever becomes of its worker. */
async function letWrite(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
): Promise<'GO'> {
  const { rows } =
    await sql`update calls set unsent_n = null where call_id = ${callId} and unsent_n is not null returning 1`.execute(
      tx.db,
    );
  // Played again, this look finds that it has let the call go.
  if (rows.length > 0) goesOut(tx, run, { callId, n: row.dispatch_n, hash: row.arguments_hash });
  return 'GO';
}

/** Bytes may go out from here on: what the record says of a call that was made. */
const goesOut = (
  tx: StoreTransaction,
  { orgId, runId }: LockedRun,
  data: { readonly callId: string; readonly n: number; readonly hash: string },
): void => audit(tx, { orgId, runId, actor: 'holdpoint', action: 'call.dispatched', data });
