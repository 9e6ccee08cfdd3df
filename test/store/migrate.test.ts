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
});
