// Who waits for a run hears of its change: in this process at once, in others by NOTIFY (ids only,
// batched, on a connection of its own: inside a transaction NOTIFY takes one database-wide lock).
// What is lost on the way a query every 2 s makes up for. One watch a run and process, whatever the
// number of waiters. Nothing here is a source of truth: a waiter is told to read again.

import { sql } from 'kysely';
import pg from 'pg';
import type { Database } from '../database/database.ts';
import { sha256Hex } from '../../json/canonical.ts';
import { runTransaction } from '../database/transaction.ts';

export interface Watch {
  /**
   * Resolves at the next change after the last call, or at once if there was one in between; also
   * when `signal` aborts.
   */
  readonly changed: (signal?: AbortSignal) => Promise<void>;
  readonly close: () => void;
}

/**
 * `STATUS`: it has paused, ended, or what it waits behind has. `EVENTS`: something else of its
 * record is new. `DELTAS`: chunks of what its model says were stored.
 */
export type Change = 'STATUS' | 'EVENTS' | 'DELTAS';

export interface Announcer {
  readonly announce: (changes: ReadonlyMap<string, 'STATUS' | 'EVENTS'>) => void;
  /** To other processes only: in this one live-deltas.ts has said them already. */
  readonly announceDeltas: (runId: string) => void;
  /** Calls back at each change of the run; returns what ends it. */
  readonly listen: (runId: string, listener: (change: Change) => void) => () => void;
  readonly announceInboxes: (orgIds: Iterable<string>) => void;
  /** Calls back at each change of the org's inbox; returns what ends it. */
  readonly listenInbox: (orgId: string, listener: () => void) => () => void;
  /** Of the run's status. Subscribe first, then read. */
  readonly watch: (runId: string) => Watch;
  readonly close: () => Promise<void>;
}

const CHANNEL = 'holdpoint_runs';
const MAKE_UP_EVERY_MS = 2000;
const RECONNECT_AFTER_MS = 500;
const IDS_PER_NOTIFY = 150; // 8,000 bytes is NOTIFY's limit, an id has 40
/** Before an id in a notification. */
const MARK = { STATUS: '', EVENTS: '~', DELTAS: '+', INBOX: '@' } as const;
/** An org's id may hold what separates ids, and be long: it is told by its hash. */
const inboxKey = (orgId: string): string => MARK.INBOX + sha256Hex(orgId).slice(0, 32);

type Listener = (change: Change) => void;

interface Hub {
  /** Of an inbox. */
  readonly orgId?: string;
  readonly listeners: Set<Listener>;
  seen: string;
}

export function createAnnouncer(db: Database): Announcer {
  const hubs = new Map<string, Hub>();
  const tell = (runId: string, change: Change): void => {
    for (const listener of [...(hubs.get(runId)?.listeners ?? [])]) listener(change);
  };
  const listenAt = (key: string, made: Hub, listener: Listener): (() => void) => {
    const hub = hubs.get(key) ?? made;
    hubs.set(key, hub);
    hub.listeners.add(listener);
    return () => {
      hub.listeners.delete(listener);
      if (hub.listeners.size === 0 && hubs.get(key) === hub) hubs.delete(key);
    };
  };
  const listen: Announcer['listen'] = (runId, listener) =>
    listenAt(runId, { listeners: new Set(), seen: '' }, listener);

  let closed = false;
  let client: pg.Client | undefined;
  let outgoing = new Set<string>();
  let flushing = false;

  async function connect(): Promise<void> {
    if (db.url === undefined || closed) return;
    const next = new pg.Client({
      connectionString: db.url,
      keepAlive: true,
      application_name: 'holdpoint announcer',
      connectionTimeoutMillis: 2500,
    });
    const again = (): void => {
      if (client === next) client = undefined;
      next.removeAllListeners('end');
      next.end().catch(() => undefined);
      if (!closed) setTimeout(() => void connect(), RECONNECT_AFTER_MS).unref();
    };
    next.on('error', again);
    next.on('notification', ({ payload, processId }) => {
      if (processId === pidOf(next)) return; // our own: told before it was sent
      for (const id of payload?.split(',') ?? [])
        if (id.startsWith(MARK.DELTAS)) tell(id.slice(1), 'DELTAS');
        else if (id.startsWith(MARK.EVENTS)) tell(id.slice(1), 'EVENTS');
        else tell(id, 'STATUS');
    });
    try {
      await next.connect();
      await next.query(`listen ${CHANNEL}`);
      client = next;
      void makeUp();
    } catch {
      again();
    }
  }

  async function flush(): Promise<void> {
    if (flushing) return;
    flushing = true;
    try {
      while (outgoing.size > 0 && client !== undefined) {
        const ids = [...outgoing].slice(0, IDS_PER_NOTIFY);
        for (const id of ids) outgoing.delete(id);
        await client.query('select pg_notify($1, $2)', [CHANNEL, ids.join(',')]);
      }
    } catch {
      outgoing = new Set(); // lost: the makers-up of the others find it
    } finally {
      flushing = false;
    }
  }

  async function makeUp(): Promise<void> {
    const ids = [...hubs].flatMap(([id, { orgId }]) => (orgId === undefined ? [id] : []));
    const orgIds = [...hubs.values()].flatMap(({ orgId }) => orgId ?? []);
    if (hubs.size === 0) return;
    try {
      const progress = { entered: false, atCommit: false, abandoned: false };
      const rows = await runTransaction(
        db,
        'worker',
        async (tx) =>
          (
            await sql<{ id: string; org_id: string | null; stamp: string }>`
          select run_id as id, null as org_id, status || ' ' || event_seq || ' ' || coalesce(pause_id, '') || ' ' || coalesce((
              select max(chunk_offset) from deltas d where d.run_id = r.run_id and d.seq = (select max(seq) from deltas l where l.run_id = r.run_id)
            ), 0) as stamp
          from runs r where run_id = any(${ids})
          union all select '', org_id, seq::text from inbox_heads where org_id = any(${orgIds})`.execute(
              tx,
            )
          ).rows,
        progress,
      );
      for (const { id, org_id, stamp } of rows) {
        const key = org_id === null ? id : inboxKey(org_id);
        const hub = hubs.get(key);
        if (hub === undefined || hub.seen === stamp) continue;
        hub.seen = stamp;
        tell(key, 'STATUS');
      }
    } catch {
      // the database is away: the next round tries again
    }
  }
  const timer = setInterval(() => void makeUp(), MAKE_UP_EVERY_MS);
  timer.unref();
  void connect();

  return {
    announce: (changes) => {
      for (const [id, change] of changes) tell(id, change);
      if (db.url === undefined) return;
      for (const [id, change] of changes) outgoing.add(MARK[change] + id);
      void flush();
    },
    announceDeltas: (runId) => {
      if (db.url === undefined) return;
      outgoing.add(MARK.DELTAS + runId);
      void flush();
    },
    listen,
    announceInboxes: (orgIds) => {
      const keys = [...orgIds].map(inboxKey);
      for (const key of keys) tell(key, 'STATUS');
      if (db.url === undefined) return;
      for (const key of keys) outgoing.add(key);
      void flush();
    },
    listenInbox: (orgId, listener) =>
      listenAt(inboxKey(orgId), { listeners: new Set(), seen: '', orgId }, listener),
    watch: (runId) => {
      let dirty = false;
      let wake: (() => void) | undefined;
      const close = listen(runId, (change) => {
        if (change !== 'STATUS') return;
        dirty = true;
        wake?.();
      });
      return {
        changed: (signal) =>
          new Promise((resolve) => {
            const done = (): void => {
              signal?.removeEventListener('abort', done);
              wake = undefined;
              dirty = false;
              resolve();
            };
            if (dirty || signal?.aborted === true) return done();
            wake = done;
            signal?.addEventListener('abort', done, { once: true });
          }),
        close,
      };
    },
    close: async () => {
      closed = true;
      clearInterval(timer);
      await client?.end().catch(() => undefined);
    },
  };
}

/** Of the connection's server process; the driver has it and its types do not. */
const pidOf = (client: pg.Client): unknown =>
  (client as unknown as { readonly processID?: unknown }).processID;
