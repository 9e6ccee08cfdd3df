// `npm run migrate`: the migrations alone, under a role that may change the schema.

import { openPostgres } from '../store/database/database.ts';
import { migrateToLatest } from '../store/database/migrate.ts';
import { openProcess, settings } from './process.ts';

export const main = (stopping: AbortSignal): Promise<void> =>
  openProcess('migrate', settings('migrate'), stopping, async ({ config, open }) => {
    const url = config.migrationDatabaseUrl ?? config.databaseUrl ?? '';
    const db = await open(openPostgres(url), (opened) => opened.close());
    await migrateToLatest(db);
    console.log('The schema is up to date.');
  });
