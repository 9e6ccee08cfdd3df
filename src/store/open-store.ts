// The store as a process opens it: the database brought to this release, and what is announced over it.

import { createAnnouncer } from './announce.ts';
import { createStore, type Store } from './access.ts';
import { openPglite, openPostgres } from './database.ts';
import { migrateToLatest } from './migrate.ts';
import { wallProblem } from './wall.ts';

export interface StoreSettings {
  /** null: embedded, in `dir`. */
  readonly databaseUrl: string | null;
  /** Another role for the migrations; set, the service does not migrate at start. */
  readonly migrationDatabaseUrl: string | null;
  readonly dir: string;
}

export interface OpenStore {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

export async function openStore(settings: StoreSettings): Promise<OpenStore> {
  const db = settings.databaseUrl === null ? await openPglite(settings.dir) : await openPostgres(settings.databaseUrl);
  if (settings.migrationDatabaseUrl === null) await migrateToLatest(db);
  const problem = await wallProblem(db);
  if (problem !== undefined) {
    await db.close();
    throw new Error(problem);
  }
  const announcer = createAnnouncer(db);
  return {
    store: createStore(db, announcer),
    close: async () => {
      await announcer.close();
      await db.close();
    },
  };
}
