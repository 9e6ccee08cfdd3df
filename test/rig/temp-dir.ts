// A temporary folder that goes with the test run.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from './at-exit.ts';

export function tempDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdpoint-test-'));
  atExit(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
