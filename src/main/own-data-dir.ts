// The data directory and what lies in it, for one process at a time.

import { join } from 'node:path';
import { lockDataDir } from '../data-dir-lock.ts';
import { openDataDir } from '../data-dir.ts';
import type { Store } from '../store/database/access.ts';
import type { Process } from './process.ts';

/** Holds it until the process ends. Throws where another process has it. */
export function ownDataDir({ config, onClose }: Pick<Process, 'config' | 'onClose'>): void {
  openDataDir(config.dataDir);
  const locked = lockDataDir(config.dataDir);
  if (!locked.ok) throw new Error(locked.problem);
  onClose(() => locked.lock.release());
}

/** Of a command: the PostgreSQL database, or the embedded one while nothing else has it. */
export async function openStoreAlone(process: Process): Promise<Store> {
  const { dataDir, databaseUrl } = process.config;
  if (databaseUrl === null) ownDataDir(process);
  return process.openStore(join(dataDir, 'database'));
}
