// RETENTION_DAYS: runs that ended so long ago are deleted with all that was said in them; before that,
// since they are the bulk, their stored events and deltas. Of the inbox the lines of what was decided
// so long ago, of webhooks deliveries that are over, idempotency keys that name nothing. Always: lines to
// Temporal that were sent. Audit lines stay, and effects by name. A few at a time, so that no request
// waits behind it.

import { sql } from 'kysely';
import type { Store } from './database/access.ts';
import { anyOf } from './database/any-of.ts';
import { audit } from './audit.ts';
import type { Columns } from './database/tables.ts';
import { deleteFromTemporal } from './outbox.ts';

const RUNS_AT_ONCE = 200;

/** Runs whose events were deleted by this step; 0: nothing is left to do for now. */
export async function deleteOldEvents(store: Store, retentionDays: number): Promise<number> {
  return store.asReconciler(async (tx) => {
    const { rows } = await sql<Columns<'runs', 'run_id'>>`
      select r.run_id from runs r
      where r.closed_at < now() - make_interval(days => ${retentionDays}) and exists (select 1 from events e where e.run_id = r.run_id)
      order by r.closed_at limit ${RUNS_AT_ONCE}`.execute(tx.db);
    const ids = rows.map((row) => row.run_id);
    if (ids.length === 0) return 0;
    await tx.db.deleteFrom('deltas').where('run_id', '=', anyOf(ids)).execute();
    await tx.db.deleteFrom('events').where('run_id', '=', anyOf(ids)).execute();
    return ids.length;
  });
}

const OLD_SESSIONS_AT_ONCE = 50;
const OLD_RUNS_AT_ONCE = 200;

type OldRun = Columns<'runs', 'run_id' | 'org_id' | 'user_id' | 'session_id'>;

/**
 * Runs that were deleted by this step, whole, and their sessions where nothing else is in them; 0:
 * nothing is left to do for now. What Temporal still has of them goes, too.
 */
export async function deleteOldRuns(store: Store, retentionDays: number): Promise<number> {
  return store.asReconciler(async (tx) => {
    const isOld = sql`closed_at < now() - make_interval(days => ${retentionDays})`;
    // Their sessions first, and by themselves: a start in between holds the same lock, and is passed by.
    const { rows: sessions } = await sql<Omit<OldRun, 'run_id'>>`
      select org_id, user_id, session_id from sessions s
      where (org_id, user_id, session_id) in (
        select r.org_id, r.user_id, r.session_id from runs r where ${isOld} order by r.closed_at limit ${OLD_SESSIONS_AT_ONCE})
      for update skip locked`.execute(tx.db);
    if (sessions.length === 0) return 0;
    const named = sql.join(
      sessions.map((s) => sql`(${s.org_id}, ${s.user_id}, ${s.session_id}::uuid)`),
    );
    const { rows: runs } = await sql<OldRun>`
      delete from runs where run_id in (
        select run_id from runs where (org_id, user_id, session_id) in (${named}) and ${isOld}
        order by closed_at limit ${OLD_RUNS_AT_ONCE})
      returning run_id, org_id, user_id, session_id`.execute(tx.db);
    await sql`delete from sessions s where (org_id, user_id, session_id) in (${named})
      and not exists (select 1 from runs r where (r.org_id, r.user_id, r.session_id) = (s.org_id, s.user_id, s.session_id))`.execute(
      tx.db,
    );
    for (const { run_id: runId, org_id: orgId, user_id: userId, session_id: sessionId } of runs) {
      deleteFromTemporal(tx, orgId, runId);
      const data = { sessionId, userId };
      audit(tx, { orgId, runId, actor: 'holdpoint', action: 'run.deleted', data });
    }
    return runs.length;
  });
}

const KEYS_AT_ONCE = 1000;

/** Keys so old whose run is gone: a repetition so late is another request. */
export async function deleteOldKeys(store: Store, retentionDays: number): Promise<number> {
  return store.asReconciler(async (tx) => {
    const { rows } = await sql`
      delete from idempotency_keys where (org_id, caller, route, agent_id, target, key) in (
        select k.org_id, k.caller, k.route, k.agent_id, k.target, k.key from idempotency_keys k
        where k.created_at < now() - make_interval(days => ${retentionDays})
          and not exists (select 1 from runs r where r.run_id = k.run_id)
        order by k.created_at limit ${KEYS_AT_ONCE})
      returning 1`.execute(tx.db);
    return rows.length;
  });
}

const INBOX_LINES_AT_ONCE = 1000;

/** Calls whose lines in the record of the inbox were deleted by this step. */
export async function deleteOldInboxLines(store: Store, retentionDays: number): Promise<number> {
  return store.asReconciler(async (tx) => {
    const { rows } = await sql<{ calls: number }>`
      with old as (
        select call_id, pause_id from inbox_lines
        where kind = 'DECIDED' and at < now() - make_interval(days => ${retentionDays}) order by at limit ${INBOX_LINES_AT_ONCE}
      ), deleted as (
        delete from inbox_lines l using old o where l.call_id = o.call_id and l.pause_id = o.pause_id returning l.org_id, l.seq
      ), marked as (
        update inbox_heads h set deleted_through = greatest(h.deleted_through, d.seq)
        from (select org_id, max(seq) as seq from deleted group by org_id) d where h.org_id = d.org_id
      )
      select count(*)::int as calls from old`.execute(tx.db);
    return rows[0]?.calls ?? 0;
  });
}

const DELIVERIES_AT_ONCE = 1000;

/** Deliveries that were deleted by this step; 0: nothing is left to do for now. */
export async function deleteOldDeliveries(store: Store, retentionDays: number): Promise<number> {
  return store.asReconciler(async (tx) => {
    const { rows } = await sql`
      delete from webhook_deliveries where delivery_id in (
        select delivery_id from webhook_deliveries
        where status <> 'PENDING' and created_at < now() - make_interval(days => ${retentionDays})
        order by created_at limit ${DELIVERIES_AT_ONCE})
      returning 1`.execute(tx.db);
    return rows.length;
  });
}

const OUTBOX_LINES_AT_ONCE = 1000;

/**
 * What was sent to Temporal of runs that ended an hour ago: it is not read any more. Whatever
 * RETENTION_DAYS says. Lines that were deleted by this step.
 */
export async function deleteSaidOutboxLines(store: Store): Promise<number> {
  return store.asReconciler(async (tx) => {
    const { rows } = await sql`
      delete from outbox where id in (
        select o.id from outbox o left join runs r using (run_id)
        where o.acknowledged_at < now() - interval '1 hour' and coalesce(r.closed_at < now() - interval '1 hour', r.run_id is null)
        order by o.id limit ${OUTBOX_LINES_AT_ONCE})
      returning 1`.execute(tx.db);
    return rows.length;
  });
}
