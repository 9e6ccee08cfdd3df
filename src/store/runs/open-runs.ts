// Runs that have not ended, as the reconciler looks for them.

import { sql } from 'kysely';
import type { RunStatus, TerminalStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';

/** For `status in ${OPEN}`: constants, so that the partial index `runs_open` serves. */
export const OPEN = sql`('QUEUED', 'RUNNING', 'PAUSED')`;

/** For `state in ${OUTCOMES}`: the states of a call that the model gets a result of. */
export const OUTCOMES = sql`('SUCCEEDED', 'FAILED', 'REJECTED', 'LEFT')`;

/** undefined: there is no such run. */
export async function statusOf(
  tx: StoreTransaction,
  runId: string,
): Promise<RunStatus | undefined> {
  const row = await tx.db
    .selectFrom('runs')
    .select('status')
    .where('run_id', '=', runId)
    .executeTakeFirst();
  return row?.status;
}

/** An open run whose start Temporal has taken, as the record has it. */
export interface StartedRun {
  readonly execution: number;
  readonly status: RunStatus;
  /** When Temporal took its start. */
  readonly takenAt: Date;
  /** Of the pause that is open. */
  readonly pausedSince: Date | null;
  /** The pause that was decided last. */
  readonly decidedPauseId: string | null;
  /** A call of it may have had an effect. */
  readonly hasActed: boolean;
  /** The last turn whose reply is an answer, every call before it with its outcome; null: none. */
  readonly answeredTurn: number | null;
}

/** undefined where the run has ended, or a start is still on its way. */
export async function startedRun(
  tx: StoreTransaction,
  runId: string,
): Promise<StartedRun | undefined> {
  const { rows } = await sql<StartedRun>`
    select r.retries + 1 as execution, r.status, o."takenAt",
      (select p.opened_at from pauses p where p.pause_id = r.pause_id) as "pausedSince",
      (select p.pause_id from pauses p where p.run_id = r.run_id and p.closed_at is not null order by p.turn desc, p.n desc limit 1) as "decidedPauseId",
      exists (select 1 from calls c where c.run_id = r.run_id and c.dispatch_n > 0 and c.retry <> 'readOnly') as "hasActed",
      ${answeredTurn} as "answeredTurn"
    from runs r cross join lateral (
      select max(s.acknowledged_at) as "takenAt", bool_and(s.acknowledged_at is not null) as taken
      from outbox s where s.run_id = r.run_id and s.kind = 'START') o
    where r.run_id = ${runId} and r.status in ${OPEN} and o.taken`.execute(tx.db);
  return rows[0];
}

/** Of the run `r`. */
const answeredTurn = sql`(
  select t.turn from turns t where t.run_id = r.run_id
    and not exists (select 1 from turns l where l.run_id = t.run_id and l.turn > t.turn)
    and not exists (select 1 from calls c where c.run_id = t.run_id and (c.turn = t.turn or c.state not in ${OUTCOMES})))`;

export async function openAmong(
  tx: StoreTransaction,
  runIds: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await sql<Columns<'runs', 'run_id'>>`
    select run_id from runs where run_id = any(${runIds}) and status in ${OPEN}`.execute(tx.db);
  return rows.map((row) => row.run_id);
}

/** The next open runs in the order of their ids that were not touched for so many seconds. */
export async function openAfter(
  tx: StoreTransaction,
  after: string,
  { olderThanS, most }: { readonly olderThanS: number; readonly most: number },
): Promise<readonly string[]> {
  const { rows } = await sql<Columns<'runs', 'run_id'>>`
    select run_id from runs where status in ${OPEN} and run_id > ${after}
      and updated_at < now() - make_interval(secs => ${olderThanS})
    order by run_id limit ${most}`.execute(tx.db);
  return rows.map((row) => row.run_id);
}

/** Of these, the runs that ended at least so many seconds ago. */
export async function endedAmong(
  tx: StoreTransaction,
  runIds: readonly string[],
  { sinceS }: { readonly sinceS: number },
): Promise<readonly { readonly runId: string; readonly status: TerminalStatus }[]> {
  const { rows } = await sql<{ runId: string; status: TerminalStatus }>`
    select run_id as "runId", status from runs where run_id = any(${runIds}) and status not in ${OPEN}
      and closed_at < clock_timestamp() - make_interval(secs => ${sinceS}) order by run_id`.execute(
    tx.db,
  );
  return rows;
}
