// Opening a pause, once per (run, turn, n), and reading what the workflow is to know of it.

import { sql } from 'kysely';
import type { PauseKind, PauseView } from '../../contract/turn.ts';
import { pauseIdOf } from './call-hash.ts';
import { describePause, type WaitingCall } from './describe-pause.ts';
import type { OperatorDecisions } from './vote-policy.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { LockedRun } from '../runs/runs.ts';

export interface PauseToOpen {
  readonly turn: number;
  readonly n: number;
  readonly pauseKind: PauseKind;
  readonly callIds: readonly string[];
}

/**
 * `ALREADY` is said to a repeated attempt, which changes nothing: a decision may have been made
 * since. `NOTHING_WAITS`: none of the calls is one to ask about, and no pause is written.
 */
export async function openPause(
  tx: StoreTransaction,
  run: LockedRun,
  p: PauseToOpen,
): Promise<{ pauseId: string; opened: 'NOW' | 'ALREADY' | 'NOTHING_WAITS' }> {
  const pauseId = pauseIdOf(run.runId, p.turn, p.n);
  const made = await sql`
    insert into pauses (pause_id, run_id, org_id, turn, n, kind, opened_at)
    values (${pauseId}, ${run.runId}, ${run.orgId}, ${p.turn}, ${p.n}, ${p.pauseKind}, clock_timestamp())
    on conflict do nothing returning pause_id`.execute(tx.db);
  if (made.rows.length === 0) return { pauseId, opened: 'ALREADY' };
  const waitsIn = p.pauseKind === 'APPROVAL' ? 'PROPOSED' : 'UNKNOWN';
  const waiting = await sql`
    update calls c set pause_id = ${pauseId}, requested_at = now.t,
      expires_at = now.t + make_interval(secs => (s.body->'approvals'->>'expiresAfterMs')::float8 / 1000)
    from (select date_trunc('milliseconds', clock_timestamp()) as t) now, runs r join agent_snapshots s using (revision)
    where c.run_id = ${run.runId} and c.call_id = any(${p.callIds}) and c.state = ${waitsIn} and r.run_id = c.run_id
    returning c.call_id`.execute(tx.db);
  if (waiting.rows.length > 0) {
    // One whose decision a failover has forgotten: its calls are asked about in this one.
    await sql`update pauses set closed_at = clock_timestamp() where run_id = ${run.runId} and closed_at is null
      and pause_id <> ${pauseId}`.execute(tx.db);
    return { pauseId, opened: 'NOW' };
  }
  await sql`delete from pauses where pause_id = ${pauseId}`.execute(tx.db);
  return { pauseId, opened: 'NOTHING_WAITS' };
}

type Row = WaitingCall & {
  readonly openedAt: Date;
  readonly expiresInMs: number | null;
  readonly quorum: number;
  readonly fourEyes: boolean;
};

export async function viewPause(
  tx: StoreTransaction,
  pauseId: string,
  operators: OperatorDecisions,
): Promise<PauseView> {
  const { rows } = await sql<Row>`
    select c.call_id as "callId", c.name, c.arguments, c.arguments_hash as "argumentsHash", c.risk,
      c.approval = 'required' as guarded, c.approvers, c.approvers_also as "approversAlso", c.quorum, c.rules, c.summary, c.evidence, p.kind, p.opened_at as "openedAt",
      to_char(c.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "expiresAt",
      (extract(epoch from c.expires_at - clock_timestamp()) * 1000)::float8 as "expiresInMs",
      coalesce((s.body->'approvals'->>'quorum')::int, 1) as quorum,
      coalesce((s.body->'approvals'->>'fourEyes')::boolean, false) as "fourEyes"
    from pauses p join calls c on c.run_id = p.run_id and c.pause_id = p.pause_id
      join runs r on r.run_id = p.run_id join agent_snapshots s using (revision)
    where p.pause_id = ${pauseId} order by c.idx`.execute(tx.db);
  const expiries = rows.flatMap((row) =>
    row.expiresInMs === null ? [] : [Math.max(0, Math.ceil(row.expiresInMs))],
  );
  const [first] = rows;
  const policy = { quorum: first?.quorum ?? 1, fourEyes: first?.fourEyes ?? false, operators };
  return {
    pauseId,
    waitingSince: (first?.openedAt ?? new Date()).toISOString(),
    expiresInMs: expiries.length === 0 ? null : Math.min(...expiries),
    waiting: describePause(pauseId, rows, policy),
  };
}
