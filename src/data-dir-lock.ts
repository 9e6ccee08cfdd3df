// One process a data directory: two on one embedded database lose rows silently. A lock of the
// kernel's, on an open descriptor: it falls with the process, kill -9 included, so there is never a
// stale one to clear.

import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import native from 'fs-native-extensions';

export interface DataDirLock {
  readonly release: () => void;
}
export type LockResult =
  | { readonly ok: true; readonly lock: DataDirLock }
  | { readonly ok: false; readonly problem: string };

export function lockDataDir(dataDir: string): LockResult {
  let fd: number;
  try {
    mkdirSync(dataDir, { recursive: true });
    fd = openSync(join(dataDir, 'lock'), 'a+', 0o600);
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    return {
      ok: false,
      problem: `DATA_DIR ${dataDir} cannot be written (${why}): choose another folder.`,
    };
  }
  if (native.tryLock(fd)) return { ok: true, lock: { release: () => closeSync(fd) } };
  closeSync(fd);
  return {
    ok: false,
    problem: `DATA_DIR ${dataDir} is in use by another Holdpoint process: stop that one, or set DATA_DIR to another folder.`,
  };
}
