// The store as a process opens it: the database brought to this release, and what is announced over
// it.

import { createAnnouncer } from '../events/notifications.ts';
import { createStore, type Store } from './access.ts';
import { isConnectionLoss } from './connection-loss.ts';
import { openPglite, openPostgres } from './database.ts';
import { migrateToLatest } from './migrate.ts';
import { whenThere, type WaitOptions } from '../../when-there.ts';
import { rowLevelSecurityProblem } from './row-level-security.ts';

export interface StoreSettings {
  /** null: embedded, in `dir`. */
  readonly databaseUrl: string | null;
  /** False: another role migrates, before. */
  readonly migrateAtStart: boolean;
  readonly dir: string;
}

export interface OpenStore {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

export async function openStore(settings: StoreSettings): Promise<OpenStore> {
  const db =
    settings.databaseUrl === null
      ? await openPglite(settings.dir)
      : await openPostgres(settings.databaseUrl);
  try {
    if (settings.migrateAtStart) await migrateToLatest(db);
    const problem = await rowLevelSecurityProblem(db);
    if (problem !== undefined) throw new Error(problem);
  } catch (error) {
    await db.close();
    throw error;
  }
  const announcer = createAnnouncer(db);
  const store = createStore(db, announcer);
  return {
    store,
    close: async () => {
      await store.due.stop();
      await announcer.close();
      await db.close();
    },
  };
}

/** Waits for a database server that is not there yet. */
export const openWhenThere = (
  settings: Omit<StoreSettings, 'dir'>,
  log: WaitOptions['log'],
  stopping: AbortSignal,
): Promise<OpenStore> =>
  whenThere(() => openStore({ ...settings, dir: '' }), {
    server: 'database',
    isAway: isConnectionLoss,
    log,
    stopping,
  });
