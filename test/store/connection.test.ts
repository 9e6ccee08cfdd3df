import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import pg from 'pg';
import { connectTo } from '../../src/store/database/connection.ts';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';

describe('a connection of the pool', () => {
  let postgres: PostgresRig;
  let pool: pg.Pool;
  before(async function () {
    postgres = await postgresOrSkip(this);
    pool = new pg.Pool({ connectionString: postgres.url, pipeline: true, max: 1 });
    // The server may be stopped before the connection has closed.
    pool.on('connect', (client) => client.on('error', () => undefined));
  });
  after(async () => {
    await pool?.end();
    await postgres?.stop();
  });

  it('sends what is asked for at once in one write, and each answer goes to its statement', async () => {
    const connection = await connectTo(pool).connect();
    // The pool has one, which is taken.
    const [client] = (pool as unknown as { readonly _clients: readonly unknown[] })._clients;
    const { stream } = (client as unknown as { readonly connection: { readonly stream: Socket } })
      .connection;
    let writes = 0;
    for (const name of ['_write', '_writev'] as const) {
      const write = stream[name]?.bind(stream) as (...all: unknown[]) => void;
      Object.assign(stream, {
        [name]: (...all: unknown[]) => {
          writes++;
          write(...all);
        },
      });
    }
    const ask = (n: number) => connection.query('select $1::int as n', [n]);
    const answers = await Promise.all([connection.query('begin', []), ask(1), ask(2), ask(3)]);
    assert.equal(writes, 1);
    assert.deepEqual(
      answers.map(({ rows }) => rows),
      [[], [{ n: 1 }], [{ n: 2 }], [{ n: 3 }]],
    );
    await connection.query('commit', []);
    assert.equal(writes, 2);
    connection.release();
  });
});
