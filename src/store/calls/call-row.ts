// A call's row as the ledger reads it, under its lock.

import { sql } from 'kysely';
import type { AgentSnapshot } from '../../contract/agent.ts';
import type { ApproverLists } from '../../policy/approvers.ts';
import type { JudgedRule } from '../../policy/judge.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';
import { lockRun, type LockedRun } from '../runs/runs.ts';
import { activeMsSince } from '../turns/attempts.ts';
import { hashOfCall } from './call-hash.ts';

/**
 * `unsent_n`: the claim that was not let to write yet; null: none. `asked_again`: why it was
 * proposed again; null: it was not.
 */
export interface CallRow extends Columns<
  'calls',
  | 'state'
  | 'turn'
  | 'name'
  | 'tool_version'
  | 'arguments'
  | 'arguments_hash'
  | 'approval'
  | 'risk'
  | 'retry'
  | 'dispatch_n'
  | 'unanswered'
  | 'unsent_n'
  | 'asked_again'
  | 'result'
  | 'quorum'
  | 'summary'
> {
  readonly approvers: readonly string[] | null;
  readonly approversAlso: ApproverLists | null;
  readonly rules: readonly JudgedRule[] | null;
  readonly agent: AgentSnapshot;
  readonly user_id: string;
  readonly approved_hash: string | null;
  /** What counts against the limit of active time. */
  readonly active_ms: number;
}

/** The run's row, then the call's: both statements leave at once, and each waits for its lock. */
export const lockRunAndCall = (
  tx: StoreTransaction,
  runId: string,
  callId: string,
): Promise<readonly [LockedRun | undefined, CallRow | undefined]> =>
  Promise.all([lockRun(tx, runId), readCall(tx, runId, callId)]);

export async function readCall(
  tx: StoreTransaction,
  runId: string,
  callId: string,
): Promise<CallRow | undefined> {
  const { rows } = await sql<CallRow>`
    select c.state, c.turn, c.name, c.tool_version, c.arguments, c.arguments_hash, c.approval, c.risk, c.retry, c.approvers, c.dispatch_n, c.unanswered, c.unsent_n, c.asked_again, c.result,
      c.quorum, c.approvers_also as "approversAlso", c.rules, c.summary,
      s.body as agent, r.user_id, ${activeMsSince(runId)} as active_ms,
      coalesce((select d.arguments_hash from decisions d where d.call_id = c.call_id and d.pause_id = c.decided_pause_id and d.action = 'APPROVE'),
        c.granted->>'hash') as approved_hash
    from calls c join runs r using (run_id) join agent_snapshots s using (revision)
    where c.call_id = ${callId} and c.run_id = ${runId} for no key update of c`.execute(tx.db);
  return rows[0];
}

export const hashNow = (run: LockedRun, callId: string, row: CallRow): string =>
  hashOfCall({
    orgId: run.orgId,
    runId: run.runId,
    callId,
    tool: row.name,
    toolVersion: row.tool_version,
    arguments: row.arguments,
    summary: row.summary,
  });
