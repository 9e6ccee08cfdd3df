// The ledger: a call is claimed before it is dispatched, with a number that fences off older
// attempts, and its outcome is recorded once. PROPOSED -> DISPATCHING (unguarded) or APPROVED ->
// DISPATCHING(n) -> SUCCEEDED, FAILED, UNKNOWN; back to PROPOSED where it is no longer what was
// approved.

import { sql } from 'kysely';
import type { AgentSnapshot, ToolSnapshot } from '../../contract/agent.ts';
import type { RunFailure, TerminalStatus } from '../../contract/names.ts';
import type { RetryClass } from '../../contract/turn.ts';
import type { StoreTransaction } from '../database/access.ts';
import { audit } from '../audit.ts';
import { hashOfCall } from './call-hash.ts';
import { appendEvents } from '../events/events.ts';
import type { CallState } from '../queries/run-record.ts';
import { lockRun, type LockedRun } from '../runs/runs.ts';
import { activeMsOf, endedAs } from '../turns/turns.ts';

/** Deliveries of one call that nobody answered, before it is given up. */
export const MAX_UNANSWERED = 3;

interface CallRow {
  readonly state: CallState;
  readonly turn: number;
  readonly name: string;
  readonly tool_version: string;
  readonly arguments: string;
  readonly arguments_hash: string;
  readonly approval: 'required' | 'never';
  readonly retry: RetryClass;
  readonly dispatch_n: number;
  readonly unanswered: number;
  readonly result: string | null;
  readonly agent: AgentSnapshot;
  readonly user_id: string;
  readonly approved_hash: string | null;
}

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
}

export type Claim =
  | { readonly kind: 'DISPATCH'; readonly call: ClaimedCall }
  | { readonly kind: 'DONE'; readonly result: string }
  | { readonly kind: 'UNKNOWN' }
  | { readonly kind: 'ASK_AGAIN' }
  | { readonly kind: 'TIME_OVER' }
  | { readonly kind: 'GONE' }
  | { readonly kind: 'ENDED'; readonly status: TerminalStatus; readonly failure?: RunFailure };

export interface ClaimRequest {
  readonly runId: string;
  readonly callId: string;
  readonly attemptId: string;
  /** The version of the tool as this worker has it; undefined where a tool has none of its own. */
  readonly versionNow: (tool: ToolSnapshot) => string | undefined;
}

async function readCall(
  tx: StoreTransaction,
  runId: string,
  callId: string,
): Promise<CallRow | undefined> {
  const { rows } = await sql<CallRow>`
    select c.state, c.turn, c.name, c.tool_version, c.arguments, c.arguments_hash, c.approval, c.retry, c.dispatch_n, c.unanswered, c.result,
      s.body as agent, r.user_id,
      (select d.arguments_hash from decisions d where d.call_id = c.call_id and d.pause_id = c.decided_pause_id and d.action = 'APPROVE') as approved_hash
    from calls c join runs r using (run_id) join agent_snapshots s using (revision)
    where c.call_id = ${callId} and c.run_id = ${runId} for no key update of c`.execute(tx.db);
  return rows[0];
}

const hashNow = (run: LockedRun, callId: string, row: CallRow): string =>
  hashOfCall({
    orgId: run.orgId,
    runId: run.runId,
    callId,
    tool: row.name,
    toolVersion: row.tool_version,
    arguments: row.arguments,
  });

export async function claimCall(tx: StoreTransaction, request: ClaimRequest): Promise<Claim> {
  const { runId, callId } = request;
  const run = await lockRun(tx, runId);
  if (run === undefined) return { kind: 'GONE' };
  const row = await readCall(tx, runId, callId);
  if (row === undefined) return { kind: 'GONE' };
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
  const own = row.state === 'DISPATCHING' && (await isLastClaim(tx, request));
  if (row.state === 'DISPATCHING' && !own) {
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
  if (row.approval === 'required' && row.state === 'PROPOSED') return { kind: 'ASK_AGAIN' };
  const tool = row.agent.tools.find((t) => t.name === row.name);
  if (tool === undefined) return { kind: 'GONE' };
  const changed = await changeOf(tx, run, callId, row, request.versionNow(tool));
  if (changed !== undefined) return changed;
  const leftMs = row.agent.limits.timeoutMs - (await activeMsOf(tx, runId));
  if (leftMs <= 0) return { kind: 'TIME_OVER' };
  if (!own) await recordClaim(tx, run, row, request);
  return {
    kind: 'DISPATCH',
    call: {
      n: own ? row.dispatch_n : row.dispatch_n + 1,
      turn: row.turn,
      tool,
      arguments: row.arguments,
      hash: row.approved_hash ?? row.arguments_hash,
      orgId: run.orgId,
      userId: row.user_id,
      leftMs,
    },
  };
}

async function recordClaim(
  tx: StoreTransaction,
  run: LockedRun,
  row: CallRow,
  { runId, callId, attemptId }: ClaimRequest,
): Promise<void> {
  await sql`update calls set state = 'DISPATCHING', dispatch_n = dispatch_n + 1, dispatched_at = coalesce(dispatched_at, clock_timestamp()) where call_id = ${callId}`.execute(
    tx.db,
  );
  await sql`insert into attempts (attempt_id, run_id, org_id, turn, kind, call_id) values (${attemptId}, ${runId}, ${run.orgId}, ${row.turn}, 'TOOL', ${callId})
    on conflict do nothing`.execute(tx.db);
  if (row.dispatch_n === 0)
    await appendEvents(tx, runId, [
      {
        kind: 'TOOL_START',
        turn: row.turn,
        data: { callId, name: row.name, arguments: JSON.parse(row.arguments) as unknown },
      },
    ]);
  await audit(tx, {
    orgId: run.orgId,
    runId,
    actor: 'holdpoint',
    action: 'call.dispatched',
    data: { callId, n: row.dispatch_n + 1, hash: row.arguments_hash },
  });
}

async function isLastClaim(
  tx: StoreTransaction,
  { runId, callId, attemptId }: ClaimRequest,
): Promise<boolean> {
  const { rows } = await sql<{ attempt_id: string }>`
    select attempt_id from attempts where run_id = ${runId} and call_id = ${callId} order by started_at desc limit 1`.execute(
    tx.db,
  );
  return rows[0]?.attempt_id === attemptId;
}

/**
 * Is it still what was approved (or, unguarded, what the model asked for)? If not, it is proposed
 * again as it stands now.
 */
async function changeOf(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  versionNow: string | undefined,
): Promise<Claim | undefined> {
  const now = hashNow(run, callId, row);
  const toolChanged = versionNow !== undefined && versionNow !== row.tool_version;
  const textChanged =
    now !== (row.approval === 'required' ? row.approved_hash : row.arguments_hash);
  if (!textChanged && !(toolChanged && row.approval === 'required')) return undefined;
  if (row.approval === 'required')
    return proposeAgain(
      tx,
      run,
      callId,
      row,
      textChanged ? 'ARGUMENTS_CHANGED' : 'TOOL_CHANGED',
      versionNow,
    );
  const result =
    'This call was not run: its stored arguments were changed after the model had asked for it.';
  await finish(tx, run, callId, row, { state: 'FAILED', result });
  return { kind: 'DONE', result };
}

async function proposeAgain(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  why: 'ARGUMENTS_CHANGED' | 'TOOL_CHANGED',
  versionNow?: string,
): Promise<Claim> {
  const toolVersion = versionNow ?? row.tool_version;
  const readable = isObject(row.arguments);
  if (!readable) {
    const result =
      'This call was not run: its stored arguments were changed and are no arguments any more.';
    await finish(tx, run, callId, row, { state: 'FAILED', result, text: '{}' });
    return { kind: 'DONE', result };
  }
  const hash = hashOfCall({
    orgId: run.orgId,
    runId: run.runId,
    callId,
    tool: row.name,
    toolVersion,
    arguments: row.arguments,
  });
  await sql`update calls set state = 'PROPOSED', asked_again = ${why}, arguments_hash = ${hash}, tool_version = ${toolVersion} where call_id = ${callId}`.execute(
    tx.db,
  );
  await audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: 'holdpoint',
    action: 'call.refused',
    data: { callId, why, hash },
  });
  return { kind: 'ASK_AGAIN' };
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
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
  const run = await lockRun(tx, runId);
  const row = run === undefined ? undefined : await readCall(tx, runId, callId);
  if (run === undefined || row === undefined) return 'LOST';
  if (endedAs(run) !== undefined || row.state !== 'DISPATCHING' || row.dispatch_n !== claimed.n) {
    return 'LOST';
  }
  if (hashNow(run, callId, row) === claimed.hash && row.arguments === claimed.arguments)
    return 'GO';
  if (row.approval === 'required') {
    const again = await proposeAgain(tx, run, callId, row, 'ARGUMENTS_CHANGED');
    return again.kind === 'ASK_AGAIN' ? 'ASK_AGAIN' : 'LOST';
  }
  await finish(tx, run, callId, row, {
    state: 'FAILED',
    result:
      'This call was not run: its stored arguments were changed after the model had asked for it.',
  });
  return 'LOST';
}

export type Recorded =
  | { readonly kind: 'DONE'; readonly result: string }
  | { readonly kind: 'UNKNOWN' }
  | { readonly kind: 'AGAIN' };

export type CallEnd =
  | { readonly kind: 'ANSWERED'; readonly result: string; readonly isError: boolean }
  /** Nothing went out, so it did not happen; may be tried again by the same rules as any start. */
  | { readonly kind: 'WITHDRAWN' }
  | { readonly kind: 'UNANSWERED'; readonly evidence: string };

/**
 * The outcome of dispatch `n`, also after the run has ended. That of an older one, or after
 * UNKNOWN, is evidence only.
 */
export async function recordCall(
  tx: StoreTransaction,
  runId: string,
  callId: string,
  n: number,
  end: CallEnd,
): Promise<Recorded> {
  const run = await lockRun(tx, runId);
  const row = run === undefined ? undefined : await readCall(tx, runId, callId);
  if (run === undefined || row === undefined) return { kind: 'UNKNOWN' };
  if (row.state !== 'DISPATCHING' || row.dispatch_n !== n) {
    if (row.state === 'SUCCEEDED' || row.state === 'FAILED')
      return { kind: 'DONE', result: row.result ?? '' };
    if (end.kind === 'ANSWERED')
      await audit(tx, {
        orgId: run.orgId,
        runId,
        actor: 'holdpoint',
        action: 'call.late',
        data: { callId, n, isError: end.isError },
      });
    if (row.state === 'UNKNOWN' && end.kind === 'ANSWERED')
      await sql`update calls set evidence = coalesce(evidence || '; ', '') || ${`a late answer to attempt ${n} came: ${end.result.slice(0, 300)}`} where call_id = ${callId}`.execute(
        tx.db,
      );
    tx.announce(runId, 'EVENTS');
    return { kind: 'UNKNOWN' };
  }
  if (end.kind === 'ANSWERED') {
    await finish(tx, run, callId, row, {
      state: end.isError ? 'FAILED' : 'SUCCEEDED',
      result: end.result,
    });
    return { kind: 'DONE', result: end.result };
  }
  if (end.kind === 'WITHDRAWN') {
    const back = endedAs(run) ? 'CLOSED' : row.approval === 'required' ? 'APPROVED' : 'PROPOSED';
    await sql`update calls set state = ${back} where call_id = ${callId}`.execute(tx.db);
    return { kind: 'AGAIN' };
  }
  return unanswered(tx, run, callId, row, end.evidence);
}

/**
 * A delivery nobody answered. Repeated where that is harmless, three in all; else a person is
 * asked.
 */
async function unanswered(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  evidence: string,
): Promise<Recorded> {
  const count = row.unanswered + 1;
  if (row.retry !== 'never' && count < MAX_UNANSWERED && endedAs(run) === undefined) {
    const back = row.approval === 'required' ? 'APPROVED' : 'PROPOSED';
    await sql`update calls set state = ${back}, unanswered = ${count}, evidence = ${evidence} where call_id = ${callId}`.execute(
      tx.db,
    );
    return { kind: 'AGAIN' };
  }
  if (row.retry === 'readOnly') {
    const result = `The tool gave no answer in ${count} attempts: ${evidence}.`;
    await finish(tx, run, callId, row, { state: 'FAILED', result });
    return { kind: 'DONE', result };
  }
  const state = endedAs(run) === undefined ? 'UNKNOWN' : 'LEFT';
  await sql`update calls set state = ${state}, unanswered = ${count}, evidence = ${evidence}, result = ${`It is not known whether this call happened: ${evidence}.`},
    duration_ms = extract(epoch from clock_timestamp() - dispatched_at) * 1000 where call_id = ${callId}`.execute(
    tx.db,
  );
  await audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: 'holdpoint',
    action: 'call.unknown',
    data: { callId, evidence },
  });
  tx.announce(run.runId, 'EVENTS');
  return { kind: 'UNKNOWN' };
}

async function finish(
  tx: StoreTransaction,
  run: LockedRun,
  callId: string,
  row: CallRow,
  end: { state: 'SUCCEEDED' | 'FAILED'; result: string; text?: string },
): Promise<void> {
  await sql`update calls set state = ${end.state}, result = ${end.result}, arguments = ${end.text ?? row.arguments},
    duration_ms = coalesce(extract(epoch from clock_timestamp() - dispatched_at) * 1000, 0) where call_id = ${callId}`.execute(
    tx.db,
  );
  await audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: 'holdpoint',
    action: 'call.finished',
    data: { callId, n: row.dispatch_n, state: end.state },
  });
  if (endedAs(run) === undefined)
    await appendEvents(tx, run.runId, [
      {
        kind: 'TOOL_END',
        turn: row.turn,
        data: { callId, name: row.name, result: end.result, isError: end.state === 'FAILED' },
      },
    ]);
  else tx.announce(run.runId, 'EVENTS');
}
