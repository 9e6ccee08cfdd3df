import assert from 'node:assert/strict';
import { databaseTypes, writtenTypes } from '../../scripts/database-types.ts';
import { openPglite } from '../../src/store/database/database.ts';
import { migrateToLatest } from '../../src/store/database/migrate.ts';

describe('the types of the tables', function () {
  this.timeout(60_000);

  it('are those of the migrated database (npm run database:types)', async () => {
    const db = await openPglite();
    try {
      await migrateToLatest(db);
      assert.equal(writtenTypes(), await databaseTypes(db));
    } finally {
      await db.close();
    }
  });
});
