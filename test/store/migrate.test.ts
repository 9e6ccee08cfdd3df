import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { openPglite, type Database } from '../../src/store/database/database.ts';
import { migrateToLatest } from '../../src/store/database/migrate.ts';

describe('migrating', function () {
  this.timeout(30_000);
  let db: Database;
  before(async () => {
    db = await openPglite();
    await migrateToLatest(db);
  });
  after(() => db.close());

  const namesIn = async (table: string): Promise<readonly string[]> =>
    (
      await sql<{ name: string }>`select name from ${sql.table(table)} order by name`.execute(
        db.kysely,
      )
    ).rows.map((row) => row.name);

  it('leaves the list of the first release as it was, so that one starts on this schema', async () => {
    assert.deepEqual(await namesIn('kysely_migration'), [
      '0001-first',
      '0002-tenants',
      '0003-media',
      '0004-open-runs',
    ]);
  });

  it('a database that a newer release has migrated is taken as it is', async () => {
    await sql`insert into holdpoint_migration (name, timestamp) values ('9999-of-tomorrow', '')`.execute(
      db.kysely,
    );
    await migrateToLatest(db);
    assert.ok((await namesIn('holdpoint_migration')).includes('9999-of-tomorrow'));
  });
  it('so is one that a newer release has begun to migrate, and what it lacks is added', async () => {
    const other = await openPglite();
    try {
      await sql`create table holdpoint_migration (name varchar(255) primary key, timestamp varchar(255) not null)`.execute(
        other.kysely,
      );
      await sql`insert into holdpoint_migration values ('9999-of-tomorrow', '')`.execute(
        other.kysely,
      );
      await migrateToLatest(other);
      const { rows } =
        await sql`select 1 from holdpoint_migration where name = '0071-grants'`.execute(
          other.kysely,
        );
      assert.equal(rows.length, 1);
    } finally {
      await other.close();
    }
  });

  it('does not open the migrator where there is nothing to do, and does where its list is unknown', async () => {
    const lockTables = async (): Promise<number> =>
      (
        await sql`select 1 from pg_class where relname in ('kysely_migration_lock', 'holdpoint_migration_lock')`.execute(
          db.kysely,
        )
      ).rows.length;
    // The migrator makes them where they are missing.
    await sql`drop table kysely_migration_lock, holdpoint_migration_lock`.execute(db.kysely);
    await migrateToLatest(db);
    assert.equal(await lockTables(), 0);
    await sql`insert into kysely_migration (name, timestamp) values ('0005-of-another', '')`.execute(
      db.kysely,
    );
    await assert.rejects(migrateToLatest(db), /0005-of-another/);
  });
});
