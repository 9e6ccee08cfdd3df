// The store's side of `npm run after-restore`: what an older backup holds open, and how such a run
// is ended. Whatever the backup shows as not yet done may have been done since: so nothing of it is
// ever told to have not happened.

import { sql } from 'kysely';
import { OPEN } from './runs/open-runs.ts';
import pg from 'pg';
import { isTerminal, type RunFailure } from '../contract/names.ts';
import type { Settled } from '../contract/turn.ts';
import type { StoreTransaction } from './database/access.ts';
import type { Columns } from './database/tables.ts';
import { audit } from './audit.ts';
import { acknowledgeOutboxLines } from './outbox.ts';
import type { CallState } from './queries/call-record.ts';
import { markUnknown } from './runs/lost-record.ts';
import { lockSessionAndRun } from './runs/runs.ts';
import { settle } from './runs/settle.ts';

export interface RestoredCall {
  readonly callId: string;
  readonly state: CallState;
}

export interface RestoredRun {
  readonly runId: string;
  readonly orgId: string;
  readonly agentId: string;
  readonly status: 'QUEUED' | 'RUNNING' | 'PAUSED';
  readonly turns: readonly number[];
  readonly calls: readonly RestoredCall[];
  readonly pauses: readonly { readonly pauseId: string; readonly open: boolean }[];
}

/** Newest line of the record: nothing that is written all the time is newer than the backup. */
export async function newestRecord(tx: StoreTransaction): Promise<Date | undefined> {
  const { rows } = await sql<{ at: Date | null }>`select max(at) as at from audit`.execute(tx.db);
  return rows[0]?.at ?? undefined;
}

/**
 * Connections of APIs and workers, which must not be there yet: their outbox would start what the
 * backup has unsent. Asked on a connection of its own, before ours are made and under the login's
 * rights: the service's role sees no names of other sessions.
 */
export async function otherProcesses(databaseUrl: string): Promise<number> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'holdpoint after-restore',
    connectionTimeoutMillis: 10_000,
  });
  await client.connect();
  try {
    const { rows } = await client.query<{
      n: number;
    }>(`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and application_name = 'holdpoint announcer'`);
    return rows[0]?.n ?? 0;
  } finally {
    await client.end();
  }
}

/**
 * Open runs after `after` in the order of their ids, with what the record says of their progress.
 */
export async function openRunsAfter(
  tx: StoreTransaction,
  after: string,
  most: number,
): Promise<readonly RestoredRun[]> {
  const { rows } = await sql<RestoredRun>`
    select r.run_id as "runId", r.org_id as "orgId", r.agent_id as "agentId", r.status,
      coalesce((select jsonb_agg(t.turn order by t.turn) from turns t where t.run_id = r.run_id), '[]') as turns,
      coalesce((select jsonb_agg(jsonb_build_object('callId', c.call_id, 'state', c.state)) from calls c where c.run_id = r.run_id), '[]') as calls,
      coalesce((select jsonb_agg(jsonb_build_object('pauseId', p.pause_id, 'open', p.closed_at is null)) from pauses p
        where p.run_id = r.run_id), '[]') as pauses
    from runs r where r.status in ${OPEN} and r.run_id > ${after} order by r.run_id limit ${most}`.execute(
    tx.db,
  );
  return rows;
}

export async function missingRuns(
  tx: StoreTransaction,
  runIds: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await sql<
    Columns<'runs', 'run_id'>
  >`select run_id from runs where run_id = any(${runIds})`.execute(tx.db);
  const there = new Set(rows.map((row) => row.run_id));
  return runIds.filter((runId) => !there.has(runId));
}

/**
 * Starts of runs that have ended in the record: they would be sent, and find that; they are taken
 * off.
 */
export async function withdrawStartsOfEnded(tx: StoreTransaction): Promise<number> {
  const { rows } = await sql<Columns<'outbox', 'id'>>`
    select o.id from outbox o join runs r using (run_id)
    where o.kind = 'START' and o.acknowledged_at is null and r.status not in ${OPEN}`.execute(
    tx.db,
  );
  await acknowledgeOutboxLines(
    tx,
    rows.map((row) => row.id),
  );
  return rows.length;
}

/**
 * Ends a run whose workflow went further than the backup. Starts are taken off first, so that none
 * is sent in between. Calls that the backup shows as waiting are unknown, not closed: "never
 * dispatched" cannot be said of them.
 */
export async function endRestoredRun(
  tx: StoreTransaction,
  runId: string,
  end: { readonly kind: 'CANCELLED' } | { readonly kind: 'FAILED'; readonly failure: RunFailure },
  why: string,
): Promise<Settled | undefined> {
  const run = await lockSessionAndRun(tx, runId);
  if (run === undefined) return undefined;
  if (isTerminal(run.status)) return settle(tx, runId, end, 'after-restore');
  await withdrawStarts(tx, runId);
  await markUnknown(tx, runId, `the database was restored from a backup, and ${why}`);
  audit(tx, {
    orgId: run.orgId,
    runId,
    actor: 'after-restore',
    action: 'run.restored',
    data: { why },
  });
  return settle(tx, runId, end, 'after-restore');
}

/** Temporal has had this run's start: its line in the backup only lacks the acknowledgement. */
export async function withdrawStarts(tx: StoreTransaction, runId: string): Promise<void> {
  const { rows } = await sql<Columns<'outbox', 'id'>>`
    select id from outbox where run_id = ${runId} and kind = 'START' and acknowledged_at is null`.execute(
    tx.db,
  );
  await acknowledgeOutboxLines(
    tx,
    rows.map((row) => row.id),
  );
}

/**
 * The workflow has handed this call to a worker since, and the backup does not know it: it goes on
 * as a call that went out and never came back. So the ledger's own rule holds: again with the same
 * key where the tool honours it, else a person is asked.
 */
export async function markDispatched(
  tx: StoreTransaction,
  runId: string,
  callIds: readonly string[],
): Promise<readonly string[]> {
  await sql`
    update calls set state = 'DISPATCHING', dispatch_n = dispatch_n + 1, dispatched_at = coalesce(dispatched_at, clock_timestamp())
    where run_id = ${runId} and call_id = any(${callIds})
      and (state = 'APPROVED' or (state = 'PROPOSED' and approval = 'never'))`.execute(tx.db);
  // Read apart from the update: the same answer when the transaction is played again.
  const { rows } = await sql<Columns<'calls', 'call_id'>>`
    select call_id from calls where run_id = ${runId} and call_id = any(${callIds}) and state = 'DISPATCHING'
    order by idx`.execute(tx.db);
  return rows.map((row) => row.call_id);
}
