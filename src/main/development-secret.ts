// Development's own secrets: each made once, kept under the data directory, readable by its owner
// alone.

import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataDir } from '../data-dir.ts';

const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
};

export function developmentSecret(
  dataDir: string,
  name: 'jwt-secret' | 'audit-key' = 'jwt-secret',
): string {
  const file = join(dataDir, name);
  const kept = read(file);
  if (kept !== undefined) {
    chmodSync(file, 0o600);
    return kept;
  }
  openDataDir(dataDir);
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, `${randomBytes(48).toString('base64url')}\n`, { mode: 0o600, flush: true });
  try {
    // A link takes its name only if it is free: of two processes at once, both end with the first
    // one's secret, whole.
    linkSync(mine, file);
  } catch (cause) {
    if (read(file) === undefined) throw cause;
  } finally {
    rmSync(mine, { force: true });
  }
  return read(file) ?? developmentSecret(dataDir, name);
}
