// One handle, one dialect, one driver: PostgreSQL by its address, or PGlite in a folder, both
// behind node-postgres' pool. Only access.ts and migrate.ts use the handle.

import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { connectTo, type Connection } from './connection.ts';
import { batchedConnection } from './pglite-connection.ts';
import type { Tables } from './tables.ts';

export type DatabaseKind = 'postgres' | 'pglite';

export interface Database {
  readonly kind: DatabaseKind;
  readonly kysely: Kysely<Tables>;
  /** For a transaction: transaction.ts's. */
  readonly connect: () => Promise<Connection>;
  /** Address for connections outside the pool (LISTEN); undefined for PGlite. */
  readonly url?: string;
  /** When a statement was last answered, on the clock of `performance.now()`. */
  readonly answeredAt: () => number;
  /** undefined for PGlite, which has one connection. */
  readonly pool?: () => PoolUse;
  readonly close: () => Promise<void>;
}

export interface PoolUse {
  readonly open: number;
  readonly idle: number;
  /** Transactions that wait for a connection. */
  readonly waiting: number;
}

// bigint columns are counters far below 2^53
pg.types.setTypeParser(20, Number);

const POOL_SIZE = 20;

/**
 * A minute, not the driver's ten seconds: a connection that is opened anew has every statement to
 * prepare again, which doubled PostgreSQL's work for the runs after a short quiet.
 */
const IDLE_CLOSED_AFTER_MS = 60_000;

/**
 * A connection is given up after 2.5 s, so that a caller is answered 503 within the 3 s the contract
 * allows.
 */
const CONNECT_TIMEOUT_MS = 2500;

export async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    pipeline: true,
    max: POOL_SIZE,
    idleTimeoutMillis: IDLE_CLOSED_AFTER_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // A blackholed server must not hold a request for ever: longer than any statement of ours
    // takes.
    query_timeout: 5000,
    statement_timeout: 5000,
    idle_in_transaction_session_timeout: 15_000,
    keepAlive: true,
    application_name: 'holdpoint',
  });
  // an idle connection that broke: the next query takes a new one
  pool.on('error', () => undefined);
  // The pool listens while a connection is idle only: one that breaks between two statements of a
  // transaction would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const { connect, answeredAt } = connectTo(pool);
  const kysely = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: forKysely(pool, connect) }),
  });
  return {
    ...{ kind: 'postgres', kysely, connect, answeredAt, url },
    pool: () => ({ open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => kysely.destroy(),
  };
}

/** What kysely itself drives: migrations and single statements. */
const forKysely = (pool: pg.Pool, connect: () => Promise<Connection>): PostgresPool => ({
  connect: connect as unknown as () => Promise<PostgresPoolClient>,
  end: () => pool.end(),
});

/** `dir` undefined: in memory, for tests. */
export async function openPglite(dir?: string): Promise<Database> {
  const extensions = { vector };
  const lite = await PGlite.create({ extensions, ...(dir === undefined ? {} : { dataDir: dir }) });
  const pool = new pg.Pool({ ...batchedConnection(lite), pipeline: true, max: 1 });
  const { connect } = connectTo(pool);
  const kysely = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: forKysely(pool, connect) }),
  });
  return {
    kind: 'pglite',
    // In this process: it may be busy, and is never away.
    answeredAt: () => Infinity,
    kysely,
    connect,
    close: async () => {
      await kysely.destroy();
      await lite.close();
    },
  };
}
