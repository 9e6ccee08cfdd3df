// Brings a database to this release's schema; several processes may do it at once (the migrator
// takes a lock).

import { Migrator, type MigrationProvider } from 'kysely';
import type { Database } from './database.ts';
import { first } from './migrations/0001-first.ts';
import { tenants } from './migrations/0002-tenants.ts';
import { media } from './migrations/0003-media.ts';
import { openRuns } from './migrations/0004-open-runs.ts';

const provider: MigrationProvider = {
  getMigrations: () =>
    Promise.resolve({
      '0001-first': first,
      '0002-tenants': tenants,
      '0003-media': media,
      '0004-open-runs': openRuns,
    }),
};

export async function migrateToLatest(db: Database): Promise<void> {
  const migrator = new Migrator({ db: db.kysely as never, provider });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
