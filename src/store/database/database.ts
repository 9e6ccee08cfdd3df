// One handle, one dialect, one driver: PostgreSQL by its address, or PGlite in a folder, both
// behind node-postgres' pool. Nobody but access.ts and migrate.ts gets at the handle.

import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { isConnectionLoss } from './connection-loss.ts';
import type { Tables } from './tables.ts';

export type DatabaseKind = 'postgres' | 'pglite';

export interface Database {
  readonly kind: DatabaseKind;
  readonly kysely: Kysely<Tables>;
  /** Address for connections outside the pool (LISTEN); undefined for PGlite. */
  readonly url?: string;
  readonly close: () => Promise<void>;
}

// bigint columns are counters far below 2^53
pg.types.setTypeParser(20, Number);

const POOL_SIZE = 20;

/**
 * A connection is given up after 2.5 s, so that a caller is answered 503 within the 3 s the contract
 * allows.
 */
const CONNECT_TIMEOUT_MS = 2500;

export async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: POOL_SIZE,
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
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: guarded(pool) }) });
  return { kind: 'postgres', kysely, url, close: () => kysely.destroy() };
}

/**
 * Statements that are prepared once a connection: those met first, which are those of every run.
 * The many forms of a filtered list are not.
 */
const PREPARED = 150;

/**
 * Planning a statement costs as much again as running it: it is prepared, by a name, once a
 * connection. And a connection on which a query was lost leaves the pool: no other query shall wait on
 * it.
 */
function guarded(pool: pg.Pool): PostgresPool {
  const names = new Map<string, string>();
  function nameOf(text: string): string | undefined {
    if (!names.has(text) && names.size < PREPARED) names.set(text, `holdpoint_${names.size}`);
    return names.get(text);
  }
  return {
    connect: async () => {
      const client = await pool.connect();
      let broken = false;
      const query = async (text: string, values: unknown[] = []) => {
        const name = values.length > 0 ? nameOf(text) : undefined;
        try {
          return await client.query({ text, values, ...(name === undefined ? {} : { name }) });
        } catch (error) {
          broken ||= isConnectionLoss(error);
          throw error;
        }
      };
      return { query, release: () => client.release(broken) } as unknown as PostgresPoolClient;
    },
    end: () => pool.end(),
  };
}

/** `dir` undefined: in memory, for tests. */
export async function openPglite(dir?: string): Promise<Database> {
  const extensions = { vector };
  const lite = await PGlite.create({ extensions, ...(dir === undefined ? {} : { dataDir: dir }) });
  const pool = new pg.Pool({ ...createPgConfig(lite), max: 1 });
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: guarded(pool) }) });
  return {
    kind: 'pglite',
    kysely,
    close: async () => {
      await kysely.destroy();
      await lite.close();
    },
  };
}
