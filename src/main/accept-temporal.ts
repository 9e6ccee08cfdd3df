// `npm run temporal-changed`: an operator says that Temporal is another one from now on, or was put
// back to an older state. The next start keeps what it meets, and goes on with every run that this
// Temporal does not know. Refused while an API or worker runs: it may still be with the old one.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lockDataDir } from '../data-dir-lock.ts';
import { otherProcesses } from '../store/after-restore.ts';
import { forgetCounterpart } from '../store/counterpart.ts';
import { openProcess, settings, type Process } from './process.ts';

export const main = (stopping: AbortSignal): Promise<void> =>
  // As for a token: of the settings no more is needed than where the database is.
  openProcess('temporal-changed', settings('token'), stopping, async (process) => {
    const dir = await alone(process);
    const store = await process.openStore(dir);
    await store.asReconciler(forgetCounterpart);
    console.log(
      'The next start keeps the Temporal namespace that it meets. Runs that this one does not know are started again where nothing of them went out, and else end as FAILED TERMINATED. Now start the APIs and the workers.',
    );
  });

/** The folder of the embedded database, where there is one. */
async function alone({ config, onClose }: Process): Promise<string> {
  const { databaseUrl, dataDir } = config;
  if (databaseUrl !== null) {
    const others = await otherProcesses(databaseUrl);
    if (others > 0)
      throw new Error(
        `${others} API or worker processes use this database. Stop them first: they may still be with the Temporal of before.`,
      );
    return '';
  }
  const dir = join(dataDir, 'database');
  if (!existsSync(dir))
    throw new Error(`There is no database in ${dataDir}: set DATA_DIR or DATABASE_URL.`);
  const locked = lockDataDir(dataDir);
  if (!locked.ok) throw new Error(locked.problem);
  onClose(() => locked.lock.release());
  return dir;
}
