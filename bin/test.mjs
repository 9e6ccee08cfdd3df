#!/usr/bin/env node
// `npm test [files or folders]`: installs what is missing, runs mocha, and closes with `N passed, N failed, N
// skipped` alone on the last line. --full adds test/full and the longer forms of the others
// (HOLDPOINT_FULL=1).

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkNode, install, root } from './install.mjs';

checkNode();
await install({ withDev: true });

const given = process.argv.slice(2);
const full = given.includes('--full');
// A folder stands for the tests below it.
const isFolder = (path) => existsSync(path) && statSync(path).isDirectory();
const rest = given
  .filter((argument) => argument !== '--full')
  .map((argument) => (isFolder(argument) ? `${argument}/**/*.test.ts` : argument));
const named = rest.some((argument) => /\.[cm]?ts$/.test(argument));
const folder = mkdtempSync(join(tmpdir(), 'holdpoint-test-'));
const summary = join(folder, 'summary.json');
const child = spawn(
  process.execPath,
  [
    `${root}node_modules/mocha/bin/mocha.js`,
    ...['--reporter-option', `summary=${summary}`],
    ...(named
      ? rest
      : [...rest, 'test/**/*.test.ts', ...(full ? [] : ['--ignore', 'test/full/**'])]),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...(full ? { HOLDPOINT_FULL: '1' } : {}) },
  },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
const code = await new Promise((done) =>
  child.on('error', () => done(127)).on('exit', (status) => done(status ?? 1)),
);

let counts = { passed: 0, failed: 0, skipped: 0 };
try {
  counts = JSON.parse(readFileSync(summary, 'utf8'));
} catch {
  console.error('mocha ended before it ran the tests: see above.');
}
rmSync(folder, { recursive: true, force: true });
const nothingRan = counts.passed + counts.failed === 0;
if (nothingRan) console.error('No test ran.');
const failed = counts.failed === 0 && (code !== 0 || nothingRan) ? 1 : counts.failed;
console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
