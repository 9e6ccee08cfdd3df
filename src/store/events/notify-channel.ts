// NOTIFY and LISTEN between processes: ids only, batched, on a connection of its own, since inside a
// transaction NOTIFY takes one database-wide lock. What is lost with a connection stays lost:
// missed-changes.ts makes up for it. A process that is the only one on the database sends none, since
// each would be a writing transaction: docs/architecture.md, "Notifications", has why none is missed.

import pg from 'pg';

const CHANNEL = 'holdpoint_runs';
/** Every listening connection has this name, also those of earlier releases. */
export const LISTENER = 'holdpoint announcer';
/** No ids: its sender has just come up, or may have kept notifications back until now. */
const LOOK_AGAIN = '';
/** Also how late a connection that has gone silent is noticed where nothing is sent. */
const COUNT_EVERY_MS = 5000;
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
  /** Something may have been lost before this moment. */
  readonly onGap: () => void;
}

/** `url` undefined (PGlite): there are no other processes, and nothing is sent. */
export function createNotifyChannel(
  url: string | undefined,
  handlers: NotifyHandlers,
): NotifyChannel {
  let closed = false;
  let client: pg.Client | undefined;
  const listeners = createListeners();
  const sender = createSender(() => client, listeners);

  function receive(payload: string): void {
    // What was kept back was committed before this: who is told to look again finds all of it.
    if (listeners.heardAnother()) sender.sendLookAgain();
    if (payload === LOOK_AGAIN) handlers.onGap();
    else handlers.onIds(payload.split(','));
  }

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
      if (processId !== pidOf(next)) receive(payload ?? LOOK_AGAIN);
    });
    try {
      await next.connect();
      // Set here: one in the address would win over that of the connection's options.
      await next.query(`set application_name = '${LISTENER}'; listen ${CHANNEL}`);
      listeners.reset();
      await notify(next, LOOK_AGAIN);
      client = next;
      handlers.onGap();
    } catch {
      again();
    }
  }

  if (url !== undefined) void connect(url);
  return {
    send: (ids) => {
      if (url !== undefined) sender.send(ids);
    },
    close: async () => {
      closed = true;
      await client?.end().catch(() => undefined);
    },
  };
}

/** Sends what has come together since the last statement, one statement at a time. */
function createSender(
  client: () => pg.Client | undefined,
  listeners: Listeners,
): { readonly send: (ids: readonly string[]) => void; readonly sendLookAgain: () => void } {
  let outgoing = new Set<string>();
  let lookAgainDue = false;
  let flushing = false;

  async function sendNext(to: pg.Client): Promise<void> {
    if (lookAgainDue) {
      lookAgainDue = false;
      await notify(to, LOOK_AGAIN);
    }
    await listeners.count(to);
    const ids = [...outgoing].slice(0, IDS_PER_NOTIFY);
    for (const id of ids) outgoing.delete(id);
    if (ids.length > 0 && !listeners.alone()) await notify(to, ids.join(','));
  }

  async function flush(): Promise<void> {
    if (flushing) return;
    flushing = true;
    try {
      for (let to = client(); to !== undefined; to = client()) {
        if (outgoing.size === 0 && !lookAgainDue) break;
        await sendNext(to);
      }
    } catch (error) {
      outgoing = new Set();
      // A connection on which a query was lost sends no notifications any more.
      client()?.emit('error', error);
    } finally {
      flushing = false;
    }
  }
  return {
    send: (ids) => {
      for (const id of ids) outgoing.add(id);
      void flush();
    },
    sendLookAgain: () => {
      lookAgainDue = true;
      void flush();
    },
  };
}

const notify = (client: pg.Client, payload: string): Promise<unknown> =>
  client.query('select pg_notify($1, $2)', [CHANNEL, payload]);

interface Listeners {
  /** False until it is known. */
  readonly alone: () => boolean;
  /** Counts who listens, where the last count is some time ago. */
  readonly count: (client: pg.Client) => Promise<void>;
  /** Returns whether this process has taken itself for the only one. */
  readonly heardAnother: () => boolean;
  /** A new connection knows of none. */
  readonly reset: () => void;
}

function createListeners(): Listeners {
  let alone = false;
  let countedAt = -Infinity;
  let heard = 0;
  return {
    alone: () => alone,
    count: async (client) => {
      if (performance.now() - countedAt < COUNT_EVERY_MS) return;
      countedAt = performance.now();
      const before = heard;
      // A pooler may have added to the name, or have taken it away: then none is found, and all sent.
      const { rows } = await client.query<{ listeners: number }>(
        `select count(*)::int as listeners from pg_stat_activity
          where datname = current_database() and application_name like $1`,
        [`${LISTENER}%`],
      );
      // A notification that was sent after the count may be read before its answer.
      alone = rows[0]?.listeners === 1 && heard === before;
    },
    heardAnother: () => {
      const wasAlone = alone;
      alone = false;
      heard++;
      return wasAlone;
    },
    reset: () => {
      alone = false;
      countedAt = -Infinity;
    },
  };
}

const createClient = (connectionString: string): pg.Client =>
  new pg.Client({
    connectionString,
    keepAlive: true,
    connectionTimeoutMillis: 2500,
    query_timeout: QUERY_TIMEOUT_MS,
  });

/** Of the connection's server process; the driver has it and its types do not. */
const pidOf = (client: pg.Client): unknown =>
  (client as unknown as { readonly processID?: unknown }).processID;
