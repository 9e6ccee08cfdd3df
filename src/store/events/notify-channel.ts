// NOTIFY and LISTEN between processes: ids only, batched, on a connection of its own, since inside a
// transaction NOTIFY takes one database-wide lock. What is lost with a connection stays lost:
// missed-changes.ts makes up for it.

import pg from 'pg';

const CHANNEL = 'holdpoint_runs';
const RECONNECT_AFTER_MS = 500;
/** A server gone silent: the connection is given up for a new one. No statement here takes long. */
const QUERY_TIMEOUT_MS = 5000;
/** NOTIFY's limit is 8,000 bytes, an id has 40. */
const IDS_PER_NOTIFY = 150;

export interface NotifyChannel {
  readonly send: (ids: readonly string[]) => void;
  readonly close: () => Promise<void>;
}

export interface NotifyHandlers {
  /** Ids that another process sent. */
  readonly onIds: (ids: readonly string[]) => void;
  /** Called after each connection: something may have been lost before it. */
  readonly onConnected: () => void;
}

/** `url` undefined (PGlite): there are no other processes, and nothing is sent. */
export function createNotifyChannel(
  url: string | undefined,
  handlers: NotifyHandlers,
): NotifyChannel {
  let closed = false;
  let client: pg.Client | undefined;
  let outgoing = new Set<string>();
  let flushing = false;

  async function connect(connectionString: string): Promise<void> {
    if (closed) return;
    const next = createClient(connectionString);
    const again = (): void => {
      if (client === next) client = undefined;
      // Once: later errors of it do not matter.
      next.removeAllListeners().on('error', () => undefined);
      next.end().catch(() => undefined);
      if (!closed) setTimeout(() => void connect(connectionString), RECONNECT_AFTER_MS).unref();
    };
    next.on('error', again);
    next.on('notification', ({ payload, processId }) => {
      // This process has called its own listeners before it sent.
      if (processId !== pidOf(next)) handlers.onIds(payload?.split(',') ?? []);
    });
    try {
      await next.connect();
      await next.query(`listen ${CHANNEL}`);
      client = next;
      handlers.onConnected();
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
    } catch (error) {
      outgoing = new Set();
      // A connection on which a query was lost sends no notifications any more.
      client?.emit('error', error);
    } finally {
      flushing = false;
    }
  }

  if (url !== undefined) void connect(url);
  return {
    send: (ids) => {
      if (url === undefined) return;
      for (const id of ids) outgoing.add(id);
      void flush();
    },
    close: async () => {
      closed = true;
      await client?.end().catch(() => undefined);
    },
  };
}

const createClient = (connectionString: string): pg.Client =>
  new pg.Client({
    connectionString,
    keepAlive: true,
    application_name: 'holdpoint announcer',
    connectionTimeoutMillis: 2500,
    query_timeout: QUERY_TIMEOUT_MS,
  });

/** Of the connection's server process; the driver has it and its types do not. */
const pidOf = (client: pg.Client): unknown =>
  (client as unknown as { readonly processID?: unknown }).processID;
