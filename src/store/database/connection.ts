// A connection of the pool as transaction.ts drives it: statements prepared by name, and given back
// broken where one was lost.

import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { isConnectionLoss } from './connection-loss.ts';

export interface Connection {
  readonly query: (text: string, values: readonly unknown[]) => Promise<pg.QueryResult>;
  readonly release: () => void;
}

/**
 * Statements that are prepared once a connection: those met first, which are those of every run.
 * The many forms of a filtered list are not.
 */
const PREPARED = 150;

export interface Connections {
  readonly connect: () => Promise<Connection>;
  /** When a statement was last answered, on the clock of `performance.now()`. */
  readonly answeredAt: () => number;
}

/**
 * Planning a statement costs as much again as running it: it is prepared, by a name, once a
 * connection. And a connection on which a query was lost leaves the pool: no other transaction
 * waits on it.
 */
export function connectTo(pool: pg.Pool): Connections {
  let answeredAt = -Infinity;
  const names = new Map<string, string>();
  function nameOf(text: string): string | undefined {
    if (!names.has(text) && names.size < PREPARED) names.set(text, `holdpoint_${names.size}`);
    return names.get(text);
  }
  const connect = async (): Promise<Connection> => {
    const client = await pool.connect();
    const sendTogether = togetherOn(client);
    let broken = false;
    return {
      query: async (text, values) => {
        sendTogether();
        const name = values.length > 0 ? nameOf(text) : undefined;
        try {
          const answer = await client.query({
            text,
            values: [...values],
            ...(name === undefined ? {} : { name }),
          });
          answeredAt = performance.now();
          return answer;
        } catch (error) {
          broken ||= isConnectionLoss(error);
          throw error;
        }
      },
      release: () => client.release(broken),
    };
  };
  return { connect, answeredAt: () => answeredAt };
}

/**
 * Statements that are asked for in one turn of the event loop leave in one write. The driver makes
 * one of each, and those were a sixth of the main thread's work for a run.
 */
function togetherOn(client: pg.PoolClient): () => void {
  const { stream } = (
    client as unknown as { readonly connection: { readonly stream: Partial<Duplex> } }
  ).connection;
  let held = false;
  return () => {
    // The embedded database has no socket.
    if (held || stream.cork === undefined) return;
    held = true;
    stream.cork();
    process.nextTick(() => {
      held = false;
      stream.uncork?.();
    });
  };
}
