// One transaction on one connection. Statements leave when they are asked for, in their order, and
// none waits for the answer of the one before it (the driver's pipeline): what can be asked at once
// costs one round trip. A transaction that fails says why its first statement failed.

import {
  Transaction,
  type ConnectionProvider,
  type DatabaseConnection,
  type Kysely,
  type QueryResult,
} from 'kysely';
import type { Database } from './database.ts';
import type { Tables } from './tables.ts';
import { beginAs, type As } from './identity.ts';

export interface TransactionProgress {
  /** The database has answered within it. */
  entered: boolean;
  /** COMMIT was sent. */
  atCommit: boolean;
  /** Its caller has had the answer that it could not be done. */
  abandoned: boolean;
}

/**
 * Rolled back where the work throws, or any statement of it failed, awaited or not. `progress` is
 * kept up to date.
 */
export async function runTransaction<T>(
  { kysely, connect }: Pick<Database, 'kysely' | 'connect'>,
  as: As,
  work: (db: Transaction<Tables>) => T | Promise<T>,
  progress: TransactionProgress = { entered: false, atCommit: false, abandoned: false },
): Promise<T> {
  const connection = await connect();
  let failed: { readonly error: unknown } | undefined;
  const send = async (text: string, values: readonly unknown[] = []): Promise<Answer> => {
    const answer = connection.query(text, values);
    // A statement that is not awaited fails the transaction all the same.
    answer.then(
      () => (progress.entered = true),
      (error: unknown) => (failed ??= { error }),
    );
    return answer;
  };
  try {
    send(beginAs(as)).catch(() => undefined);
    try {
      const result = await work(transactionOver(kysely, send));
      // A caller with the answer that it could not be done must not find it done later.
      if (progress.abandoned) throw new Error('given up before the commit');
      progress.atCommit = true;
      const { command } = await send('commit');
      // The answer to a COMMIT of what has failed.
      if (command === 'ROLLBACK') throw new Error('the transaction was rolled back');
      return result;
    } catch (error) {
      await connection.query('rollback', []).catch(() => undefined);
      throw failed?.error ?? error;
    }
  } finally {
    connection.release();
  }
}

interface Answer {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly unknown[];
}

type Send = (text: string, values: readonly unknown[]) => Promise<Answer>;

/** kysely's transaction, but for its lock: there, only one statement is under way at a time. */
function transactionOver(kysely: Kysely<Tables>, send: Send): Transaction<Tables> {
  const connection: DatabaseConnection = {
    executeQuery: async <R>({
      sql,
      parameters,
    }: {
      sql: string;
      parameters: readonly unknown[];
    }) => {
      const { rows, rowCount } = await send(sql, parameters);
      return { rows: rows as R[], numAffectedRows: BigInt(rowCount ?? 0) } satisfies QueryResult<R>;
    },
    streamQuery: () => {
      throw new Error('no cursor is opened in here');
    },
  };
  const provider: ConnectionProvider = { provideConnection: (consumer) => consumer(connection) };
  const executor = kysely.getExecutor().withConnectionProvider(provider);
  // Its driver would begin and end transactions, which is done here.
  return new Transaction<Tables>({ config: {}, driver: {}, dialect: {}, executor } as never);
}
