// The one function that writes PAUSED and every terminal state, for every process that finds it: the workflow,
// DELETE, the reconciler. In one transaction with the record's event, the audit line and, when
// terminal, the release of the session's next run. It returns the state in force, which need not
// be the one that was asked for.

import { sql, type RawBuilder } from 'kysely';
import { isTerminal, type RunFailure } from '../../contract/names.ts';
import type { Settled, Settlement } from '../../contract/turn.ts';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';
import { appendEvents } from '../events/events.ts';
import { withdrawStart } from '../outbox.ts';
import { addPausedDeliveries, addSettledDeliveries } from '../webhooks/new-deliveries.ts';
import { openPause, viewPause } from '../calls/pauses.ts';
import type { OperatorDecisions } from '../calls/vote-policy.ts';
import { OPEN_CALLS, readRun, type RunRecord } from '../queries/run-record.ts';
import { END_SHOWN, endShownOf, readEndShown, type EndShownRow } from './end-shown.ts';
import { markUnknown, missingBeforeEnd, recordLost } from './lost-record.ts';
import { lockRun, lockSessionAndRun, releaseNextOfSession, type LockedRun } from './runs.ts';
import { activeMs } from '../turns/attempts.ts';

export type TerminalSettlement = Exclude<Settlement, { kind: 'PAUSED' }>;

const asItIs = (run: LockedRun): Settled => ({
  status: run.status,
  ...(run.errorCode === null
    ? {}
    : { failure: { code: run.errorCode, message: run.errorMessage ?? '' } satisfies RunFailure }),
});

export interface SettleOptions {
  /**
   * A run of the session that had to wait for this one may start; it is started by a line within the
   * transaction.
   */
  readonly onReleased?: () => void;
  /**
   * The execution that this is about. Of one that was followed by another it changes nothing: a
   * repeated attempt of the end of a failed execution must not end the one that took the run up.
   */
  readonly execution?: number;
  /**
   * What operators may decide, for what they are shown of a pause; the default promises them
   * nothing.
   */
  readonly operators?: OperatorDecisions;
}

export async function settle(
  tx: StoreTransaction,
  runId: string,
  settlement: Settlement,
  actor: string,
  options: SettleOptions = {},
): Promise<Settled | undefined> {
  return settlement.kind === 'PAUSED'
    ? settlePaused(tx, runId, settlement, options)
    : settleTerminal(tx, runId, settlement, actor, options);
}

/** What an execution that was followed by another ends as: its failure, never the run's state. */
function outlived(
  run: LockedRun,
  s: Settlement,
  { execution }: SettleOptions,
): Settled | undefined {
  if (execution === undefined || execution >= run.execution) return undefined;
  const failure: RunFailure =
    s.kind === 'FAILED'
      ? s.failure
      : { code: 'TERMINATED', message: 'Another execution has taken up this run.' };
  return { status: 'FAILED', failure };
}

async function settlePaused(
  tx: StoreTransaction,
  runId: string,
  s: Extract<Settlement, { kind: 'PAUSED' }>,
  options: SettleOptions,
): Promise<Settled | undefined> {
  const run = await lockRun(tx, runId);
  if (run === undefined) return undefined;
  const over = outlived(run, s, options);
  if (over !== undefined) return over;
  if (isTerminal(run.status)) return asItIs(run);
  const { pauseId, opened } = await openPause(tx, run, s);
  if (opened === 'NOTHING_WAITS') return { ...asItIs(run), nothingWaits: true };
  if (opened === 'NOW') {
    tx.announceInbox(run.orgId);
    await sql`update runs set status = 'PAUSED', pause_id = ${pauseId}, pauses = pauses + 1, active_ms = ${activeMs(runId)},
      updated_at = date_trunc('milliseconds', clock_timestamp()) where run_id = ${runId}`.execute(
      tx.db,
    );
    const pause = await openCallsOf(tx, run, pauseId);
    appendEvents(tx, runId, [{ kind: 'PAUSED', turn: s.turn, data: { pauseId, ...pause } }]);
    addPausedDeliveries(tx, runId, pauseId, pause);
    audit(tx, {
      orgId: run.orgId,
      runId,
      actor: 'holdpoint',
      action: 'run.paused',
      data: { pauseId, callIds: s.callIds },
    });
    await announceQueued(tx, run);
  }
  const now = await lockRun(tx, runId);
  if (now === undefined) return undefined;
  return now.pauseId === pauseId
    ? { ...asItIs(now), pause: await viewPause(tx, pauseId, options.operators ?? 'off') }
    : asItIs(now);
}

/**
 * As they are at the pause: a reader of the record is shown the same, whatever became of them
 * since.
 */
async function openCallsOf(
  tx: StoreTransaction,
  run: LockedRun,
  pauseId: string,
): Promise<Pick<RunRecord, 'quorum' | 'fourEyes' | 'calls'>> {
  const record = await readRun(tx, run.orgId, run.runId, OPEN_CALLS);
  return {
    quorum: record?.quorum ?? 1,
    fourEyes: record?.fourEyes ?? false,
    calls: record?.calls.filter((call) => call.pauseId === pauseId) ?? [],
  };
}

/** Callers behind a paused run stop waiting: they are answered 202. */
async function announceQueued(tx: StoreTransaction, run: LockedRun): Promise<void> {
  const { rows } = await sql<Columns<'runs', 'run_id'>>`
    select run_id from runs where org_id = ${run.orgId} and user_id = ${run.userId} and session_id = ${run.sessionId} and status = 'QUEUED'`.execute(
    tx.db,
  );
  for (const row of rows) tx.announce(row.run_id, 'STATUS');
}

async function settleTerminal(
  tx: StoreTransaction,
  runId: string,
  asked: TerminalSettlement,
  actor: string,
  options: SettleOptions,
): Promise<Settled | undefined> {
  const run = await lockSessionAndRun(tx, runId);
  if (run === undefined) return undefined;
  const over = outlived(run, asked, options);
  if (over !== undefined) return over;
  if (run.status === 'COMPLETED') return { ...asItIs(run), shown: await readEndShown(tx, runId) };
  if (isTerminal(run.status)) return asItIs(run);
  const s = await asTheRecordAllows(tx, runId, asked);
  const failure = s.kind === 'FAILED' ? s.failure : undefined;
  closeCalls(tx, run);
  const { rows } = await sql<Ended>`
    update runs r set status = ${s.kind}, pause_id = null, waiting = null, active_ms = ${activeMs(runId)},
      error_code = ${failure?.code ?? null}, error_message = ${failure?.message ?? null},
      content = case when ${s.kind} = 'COMPLETED' then coalesce(t.text, '') || coalesce(
        (select E'\n\n**Suggested follow-ups:**\n' || string_agg('- ' || f.value, E'\n' order by f.ordinality)
         from jsonb_array_elements_text(r.follow_ups) with ordinality f), '') else '' end,
      model = coalesce(t.model, r.model), finish_reason = coalesce(t.finish_reason, r.finish_reason),
      updated_at = date_trunc('milliseconds', clock_timestamp()), closed_at = clock_timestamp()
    from (select 1) one left join turns t on t.run_id = ${runId} and t.turn = ${s.kind === 'COMPLETED' ? s.turn : -1}
    where r.run_id = ${runId}
    returning substr(r.content, length(t.text) + 1) as added, r.agent_id as "agentId",
      extract(epoch from clock_timestamp() - r.created_at)::float8 as seconds, ${waitedSeconds(runId)} as "waitedSeconds",
      ${END_SHOWN}`.execute(tx.db);
  const [ended] = rows;
  if (ended !== undefined) {
    const { agentId, seconds } = ended;
    const code = failure?.code ?? null;
    tx.runEnded({ agentId, status: s.kind, code, seconds, waitedSeconds: ended.waitedSeconds });
  }
  appendEnd(tx, run, s, ended?.added ?? null);
  audit(tx, {
    orgId: run.orgId,
    runId,
    actor,
    action: `run.${s.kind.toLowerCase()}`,
    data: failure ? { code: failure.code } : {},
  });
  addSettledDeliveries(tx, runId);
  if (s.kind !== 'COMPLETED') await withdrawStart(tx, runId);
  if ((await releaseNextOfSession(tx, run)) !== undefined) options.onReleased?.();
  return {
    status: s.kind,
    ...(failure ? { failure } : {}),
    ...(s.kind === 'COMPLETED' && ended !== undefined ? { shown: endShownOf(ended) } : {}),
  };
}

function appendEnd(
  tx: StoreTransaction,
  { runId, turn }: LockedRun,
  s: TerminalSettlement,
  added: string | null,
): void {
  // The block of follow-ups: on a stream, too, it is the end of the answer.
  appendEvents(tx, runId, [
    ...(s.kind === 'COMPLETED' && added
      ? [{ kind: 'FOLLOW_UPS', turn: s.turn, data: { text: added } } as const]
      : []),
    s.kind === 'COMPLETED'
      ? { kind: 'STOP', turn: s.turn, data: {} }
      : s.kind === 'CANCELLED'
        ? { kind: 'CANCELLED', turn, data: {} }
        : { kind: 'ERROR', turn, data: { ...s.failure } },
  ]);
}

interface Ended extends EndShownRow {
  readonly added: string | null;
  readonly agentId: string;
  readonly seconds: number;
  readonly waitedSeconds: number;
}

/** As a part of a statement: how long the run was paused. A pause that is open is being closed. */
const waitedSeconds = (runId: string): RawBuilder<number> =>
  sql<number>`coalesce((select sum(extract(epoch from coalesce(p.closed_at, clock_timestamp()) - p.opened_at))
    from pauses p where p.run_id = ${runId}), 0)::float8`;

/** COMPLETED only where the record has all that led there. */
async function asTheRecordAllows(
  tx: StoreTransaction,
  runId: string,
  asked: TerminalSettlement,
): Promise<TerminalSettlement> {
  const missing =
    asked.kind === 'COMPLETED' ? await missingBeforeEnd(tx, runId, asked.turn) : undefined;
  const s: TerminalSettlement =
    missing === undefined ? asked : { kind: 'FAILED', failure: recordLost(missing) };
  if (s.kind === 'FAILED' && s.failure.code === 'RECORD_LOST')
    await markUnknown(tx, runId, 'the database was put back to an earlier state');
  return s;
}

/**
 * What is open when a run ends: PROPOSED and APPROVED are CLOSED and will never be dispatched,
 * UNKNOWN and what went out before without an answer are LEFT. DISPATCHING stays: its late outcome
 * is still recorded, and until then it is shown as unknown.
 */
function closeCalls(tx: StoreTransaction, { runId, orgId, pauseId }: LockedRun): void {
  if (pauseId !== null) tx.announceInbox(orgId);
  tx.write(sql`
    with closed as (
      update pauses set closed_at = clock_timestamp() where run_id = ${runId} and closed_at is null
    )
    update calls set pause_id = null, state = case
        when state = 'UNKNOWN' or (state in ('PROPOSED', 'APPROVED') and evidence is not null) then 'LEFT'
        when state in ('PROPOSED', 'APPROVED') then 'CLOSED' else state end
    where run_id = ${runId} and (pause_id is not null or state in ('PROPOSED', 'APPROVED', 'UNKNOWN'))`);
}
