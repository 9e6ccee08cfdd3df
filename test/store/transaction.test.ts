// One transaction on one connection, on both databases: what is sent without waiting, and what
// becomes of a failure.

import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { openBench, onPostgres, type Bench } from './fixture.ts';

function contract(bench: () => Bench): void {
  const count = async (): Promise<number> => {
    const { rows } = await bench().store.asWorker((tx) =>
      sql<{ n: number }>`select count(*)::int as n from audit where action = 'tried'`.execute(
        tx.db,
      ),
    );
    return rows[0]?.n ?? -1;
  };
  const insert = sql`insert into audit (org_id, actor, action, data) values ('acme', 'a', 'tried', '{}')`;
  const division = sql`select 1 / 0`;

  it('answers come in the order of the statements, also of those that nobody waited for between', async () => {
    const seen = await bench().store.asWorker(async ({ db }) => {
      const numbers = [1, 2, 3, 4].map((n) =>
        sql<{ n: number }>`select ${n}::int as n`.execute(db),
      );
      return (await Promise.all(numbers)).map(({ rows }) => rows[0]?.n);
    });
    assert.deepEqual(seen, [1, 2, 3, 4]);
  });

  it('a statement that fails undoes those before it, and is what the caller gets', async () => {
    const before = await count();
    await assert.rejects(
      bench().store.asWorker(async ({ db }) => {
        await insert.execute(db);
        await division.execute(db);
      }),
      { code: '22012' },
    );
    assert.equal(await count(), before);
  });

  it('a statement that fails unheard fails the transaction with its own reason, not with that of the next', async () => {
    const before = await count();
    await assert.rejects(
      bench().store.asWorker(async ({ db }) => {
        division.execute(db).catch(() => undefined);
        await insert.execute(db).catch(() => undefined);
      }),
      { code: '22012' },
    );
    assert.equal(await count(), before);
  });

  it('work that throws is rolled back, and the connection serves the next', async () => {
    const before = await count();
    await assert.rejects(
      bench().store.asWorker(async ({ db }) => {
        await insert.execute(db);
        throw new Error('thought better of it');
      }),
      /thought better/,
    );
    assert.equal(await count(), before);
    await bench().store.asWorker(({ db }) => insert.execute(db));
    assert.equal(await count(), before + 1);
  });

  for (const [what, code] of [
    ['could not be serialized', '40001'],
    ['was in a deadlock', '40P01'],
  ])
    it(`is played again where it ${what}, and leaves nothing of the first time`, async () => {
      const before = await count();
      let times = 0;
      await bench().store.asWorker(async ({ db }) => {
        await insert.execute(db);
        if (++times < 3)
          await sql`do $$ begin raise exception using errcode = ${sql.lit(code)}; end $$`.execute(
            db,
          );
      });
      assert.equal(times, 3);
      assert.equal(await count(), before + 1);
    });

  it('an org’s name is taken as text, whatever is in it', async () => {
    const named = `o'); select set_config('holdpoint.as', 'worker', true); --\\'`;
    const { rows } = await bench().store.asOrg(named, (tx) =>
      sql<{ org: string; who: string | null }>`
        select current_setting('holdpoint.org') as org, nullif(current_setting('holdpoint.as', true), '') as who`.execute(
        tx.db,
      ),
    );
    assert.deepEqual(rows, [{ org: named, who: null }]);
  });
}

describe('a transaction on PGlite', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());
  contract(() => bench);
});

describe('a transaction on PostgreSQL', () => {
  const on = onPostgres();
  contract(() => on.bench);
});
