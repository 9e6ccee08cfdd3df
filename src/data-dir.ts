// The data directory is the process's own: what lies in it (the embedded database, mail that was
// sent, the development secret) is not readable by other users of the machine.

import { chmodSync, mkdirSync, statSync } from 'node:fs';

/** Everything that a process of ours, or a child of it, creates is its owner's alone. */
export const keepFilesPrivate = (): void => void process.umask(0o077);

/** Made, or taken as it is found but closed to others. Throws in a line an operator can act on. */
export function openDataDir(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  try {
    chmodSync(dataDir, 0o700);
  } catch (cause) {
    // Owned by another user, as a mounted volume may be: it will do where only its group gets in.
    if ((statSync(dataDir).mode & 0o007) === 0) return;
    throw new Error(
      `DATA_DIR ${dataDir} can be read by every user of this machine, and is not ours to close: chmod 700 it, or choose another folder.`,
      { cause },
    );
  }
}
