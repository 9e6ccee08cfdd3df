// What is to be sent to Temporal, written in the transaction that decides it and sent afterwards by
// temporal/outbox.ts. Lines of a run go in order. `line_key` is unique, so that a repeated
// transaction finds its own line.

import { sql } from 'kysely';
import { assertNever } from '../contract/names.ts';
import type { AgentRunInput } from '../contract/turn.ts';
import type { ShownDecision } from './calls/shown-decisions.ts';
import type { StoreTransaction } from './database/access.ts';
import type { Columns } from './database/tables.ts';

export type OutboxMessage =
  | {
      readonly kind: 'START';
      readonly input: AgentRunInput;
      /** Missing in lines of earlier releases. */
      readonly asked?: Asked;
    }
  | {
      readonly kind: 'SIGNAL';
      readonly pauseId: string;
      /**
       * Missing in lines of the first release, and of a run that was deleted; in lines of the second
       * each has an id and an action alone.
       */
      readonly calls?: readonly (Pick<ShownDecision, 'callId' | 'action'> &
        Partial<ShownDecision>)[];
    }
  | { readonly kind: 'CANCEL' }
  /** Of a run that is deleted: its executions go with all that they hold. */
  | { readonly kind: 'DELETE' };

/** For operators, beside the workflow's input: whose run it is, and the question's beginning. */
export interface Asked {
  readonly by: string;
  readonly question: string;
}

/** Enough to know a run by. */
const QUESTION_SHOWN = 200;

export const askedBy = (by: string, input: string): Asked => ({
  by,
  // By code points: half of one is no text.
  question:
    input.length > QUESTION_SHOWN ? `${[...input].slice(0, QUESTION_SHOWN).join('')}…` : input,
});

export interface OutboxLine {
  readonly id: number;
  readonly runId: string;
  readonly message: OutboxMessage;
}

/** A line that the transaction which wrote it has leased for its own process. */
export interface LeasedLine {
  readonly lease: string;
  readonly message: OutboxMessage;
}

/**
 * Longer than a start with its retries takes, short enough that another process soon takes over.
 */
export const LEASE_SECONDS = 10;
/**
 * Of a line that was leased as it was written: the longest that a caller waits for its being sent,
 * and not much more, since a process that dies now has sent nothing.
 */
const FIRST_LEASE_SECONDS = 4;

function keyOf(runId: string, message: OutboxMessage): string {
  switch (message.kind) {
    case 'SIGNAL':
      return `${runId} SIGNAL ${message.pauseId}`;
    case 'START': {
      // Each execution of a run is started once.
      const { takenUp } = message.input;
      return takenUp === undefined ? `${runId} START` : `${runId} START ${takenUp.execution}`;
    }
    case 'CANCEL':
    case 'DELETE':
      return `${runId} ${message.kind}`;
    default:
      return assertNever(message);
  }
}

/**
 * Adds a line; the process that adds it sends it right after the commit, any other where that one
 * can't. With a `lease`, made before the transaction, the line need not be leased to be sent.
 */
export function addOutboxLine(
  tx: StoreTransaction,
  orgId: string,
  runId: string,
  message: OutboxMessage,
  lease?: string,
): void {
  tx.write(
    tx.db
      .insertInto('outbox')
      .values({
        run_id: runId,
        org_id: orgId,
        line_key: keyOf(runId, message),
        kind: message.kind,
        payload: JSON.stringify(message),
        ...(lease === undefined
          ? {}
          : {
              claimed_by: lease,
              claimed_until: sql<Date>`clock_timestamp() + make_interval(secs => ${FIRST_LEASE_SECONDS})`,
              attempts: 1,
            }),
      })
      .onConflict((known) => known.column('line_key').doNothing()),
  );
}

/**
 * Of a run that is deleted: its workflow is to go, and of the lines the words of its user and of those
 * who decided. A start that is being sent may still arrive; the deletion is sent after it.
 */
export function deleteFromTemporal(tx: StoreTransaction, orgId: string, runId: string): void {
  tx.write(
    sql`update outbox set payload = payload - 'asked' - 'calls' where run_id = ${runId} and kind in ('START', 'SIGNAL')`,
  );
  addOutboxLine(tx, orgId, runId, { kind: 'DELETE' });
}

/**
 * Leases the first open line of each run that no process holds: of one run, or of any. `lease` is made
 * before the transaction: played again, it finds the lines that it has leased.
 */
export async function leaseOutboxLines(
  tx: StoreTransaction,
  runId: string | null,
  most: number,
  lease: string,
): Promise<readonly OutboxLine[]> {
  const { rows } = await sql<Columns<'outbox', 'id' | 'run_id'> & { payload: OutboxMessage }>`
    update outbox set claimed_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS}), attempts = attempts + 1, claimed_by = ${lease}
    where id in (
      select o.id from outbox o
      where o.acknowledged_at is null and (o.claimed_until is null or o.claimed_until < clock_timestamp() or o.claimed_by = ${lease})
        and (${runId}::text is null or o.run_id = ${runId})
        and not exists (select 1 from outbox p where p.run_id = o.run_id and p.id < o.id and p.acknowledged_at is null)
      order by o.id limit ${most} for update skip locked
    )
    returning id, run_id, payload`.execute(tx.db);
  return rows.map((row) => ({ id: row.id, runId: row.run_id, message: row.payload }));
}

export async function acknowledgeOutboxLines(
  tx: StoreTransaction,
  ids: readonly number[],
): Promise<void> {
  await sql`update outbox set acknowledged_at = clock_timestamp() where id = any(${ids}) and acknowledged_at is null`.execute(
    tx.db,
  );
}

/** What was sent under these leases, and is not acknowledged by the run's first transaction. */
export async function acknowledgeLeases(
  tx: StoreTransaction,
  leases: readonly string[],
): Promise<void> {
  await sql`update outbox set acknowledged_at = clock_timestamp()
    where claimed_by = any(${leases}) and acknowledged_at is null`.execute(tx.db);
}

/** By the workflow's own first transaction: that it runs says that its start was taken. */
export function acknowledgeStart(tx: StoreTransaction, runId: string): void {
  tx.write(sql`update outbox set acknowledged_at = clock_timestamp()
    where run_id = ${runId} and kind = 'START' and acknowledged_at is null`);
}

/** Gives the lines of a lease back, as `returnOutboxLines` does. */
export async function returnLease(tx: StoreTransaction, lease: string): Promise<void> {
  await sql`update outbox set claimed_until = clock_timestamp() + make_interval(secs => least(5, 0.25 * attempts))
    where claimed_by = ${lease} and acknowledged_at is null`.execute(tx.db);
}

/** Gives lines back, to be taken again after a pause that grows to 5 s. */
export async function returnOutboxLines(
  tx: StoreTransaction,
  ids: readonly number[],
): Promise<void> {
  await sql`update outbox set claimed_until = clock_timestamp() + make_interval(secs => least(5, 0.25 * attempts)) where id = any(${ids})`.execute(
    tx.db,
  );
}

/**
 * A run that ended before it was started: its start is withdrawn unless a process is sending it
 * right now.
 */
export async function withdrawStart(tx: StoreTransaction, runId: string): Promise<void> {
  await sql`update outbox set acknowledged_at = clock_timestamp()
    where run_id = ${runId} and kind = 'START' and acknowledged_at is null
      and (claimed_until is null or claimed_until < clock_timestamp())`.execute(tx.db);
}
