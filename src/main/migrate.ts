// `npm run migrate`: the migrations alone, under a role that may change the schema.

import { configFromEnvironment } from '../config.ts';
import { runMain } from './role.ts';
import { openPostgres } from '../store/database/database.ts';
import { migrateToLatest } from '../store/database/migrate.ts';

await runMain(
  () => configFromEnvironment('migrate'),
  async (config) => {
    const db = await openPostgres(config.migrationDatabaseUrl ?? config.databaseUrl ?? '');
    try {
      await migrateToLatest(db);
      console.log('The schema is up to date.');
    } finally {
      await db.close();
    }
  },
);
