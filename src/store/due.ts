// What there is to do that no caller waits for, in one look at the database: lines to send, webhook
// deliveries, pauses about to expire, documents, lines of the audit to seal, and open runs to compare
// with their workflows. It is looked for often while something happens, here or in another process,
// and seldom while nothing does: an idle process asks the database less than once a second.

import { sql } from 'kysely';
import type { Announcer } from './events/notifications.ts';
import type { Store, StoreTransaction } from './database/access.ts';
import { OPEN } from './runs/open-runs.ts';
import { ABOUT_TO_EXPIRE } from './webhooks/expiring.ts';

export interface Due {
  /** Lines that are not acknowledged: being sent, or to be sent again. */
  readonly outbox: boolean;
  readonly deliveries: boolean;
  readonly expiring: boolean;
  /** Being taken in, or deleted and not purged. */
  readonly documents: boolean;
  readonly openRuns: boolean;
  readonly heldRuns: boolean;
  /** Lines that are later than the last that was sealed. */
  readonly audit: boolean;
}
export type DueKind = keyof Due;

export async function readDue(tx: StoreTransaction): Promise<Due> {
  const { rows } = await sql<Due>`
    select
      exists (select 1 from outbox where acknowledged_at is null) as outbox,
      exists (select 1 from webhooks w join webhook_deliveries d using (webhook_id) where w.active and d.status = 'PENDING'
        and d.next_at <= clock_timestamp() and (d.claimed_until is null or d.claimed_until < clock_timestamp())) as deliveries,
      exists (select 1 from calls where ${ABOUT_TO_EXPIRE}) as expiring,
      exists (select 1 from knowledge_documents where status = 'PROCESSING' or deleted_at is not null)
        or exists (select 1 from knowledge_bases where deleted_at is not null) as documents,
      exists (select 1 from runs where status in ${OPEN}) as "openRuns",
      exists (select 1 from runs where held) as "heldRuns",
      exists (select 1 from audit where id > coalesce((select max(line_id) from audit_seals), 0)) as audit`.execute(
    tx.db,
  );
  const row = rows[0];
  if (row === undefined) throw new Error('a look without an answer');
  return row;
}

/** Looks from the first listener on. */
export interface DueWatch {
  /** Calls back at each look that finds something of the kind; returns what ends it. */
  readonly on: (kind: DueKind, look: () => void) => () => void;
  /** As of the last look; true before the first. */
  readonly isDue: (kind: DueKind) => boolean;
  readonly stop: () => Promise<void>;
}

/** How often is looked, in ms. */
export interface DuePace {
  /** Somebody may wait for what is due: a delivery, or the start of a run whose process died. */
  readonly busy: number;
  /** With nothing happening only another process that died can have left something. */
  readonly idle: number;
  /** So long after a transaction of this process, or a notification, it is busy. */
  readonly staysBusy: number;
}
const PACE: DuePace = { busy: 500, idle: 4000, staysBusy: 3000 };

function createListeners() {
  const all = new Map<DueKind, Set<() => void>>();
  return {
    add: (kind: DueKind, listener: () => void) => {
      const ofKind = all.get(kind) ?? new Set();
      all.set(kind, ofKind.add(listener));
      return () => void ofKind.delete(listener);
    },
    call: (due: Due): void => {
      for (const [kind, ofKind] of all)
        if (due[kind]) for (const listener of [...ofKind]) listener();
    },
  };
}

export function createDueWatch(
  asReconciler: Store['asReconciler'],
  announcer: Pick<Announcer, 'onChange' | 'changedAt'>,
  pace: DuePace = PACE,
): DueWatch {
  const listeners = createListeners();
  let due: Due | undefined;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let nextAt = 0;
  let looking: Promise<void> | undefined;

  function schedule(inMs: number): void {
    if (stopped) return;
    clearTimeout(timer);
    nextAt = performance.now() + inMs;
    timer = setTimeout(() => {
      looking = look().finally(() => {
        looking = undefined;
        schedule(isBusy() ? pace.busy : pace.idle);
      });
    }, inMs);
    timer.unref();
  }
  const isBusy = (): boolean =>
    due === undefined ||
    due.outbox ||
    due.deliveries ||
    due.expiring ||
    due.documents ||
    performance.now() - announcer.changedAt() < pace.staysBusy;

  async function look(): Promise<void> {
    try {
      due = await asReconciler(readDue);
    } catch {
      // The database is away: whatever there is to do is looked for when it is back.
      due = undefined;
      return;
    }
    listeners.call(due);
  }

  let unlisten: (() => void) | undefined;
  function start(): void {
    unlisten ??= announcer.onChange(() => {
      if (looking === undefined && nextAt - performance.now() > pace.busy) schedule(pace.busy);
    });
    if (timer === undefined) schedule(0);
  }
  return {
    on: (kind, listener) => {
      start();
      return listeners.add(kind, listener);
    },
    isDue: (kind) => due?.[kind] ?? true,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      unlisten?.();
      await looking;
    },
  };
}
