// Installs the packages where they are missing or not the lock file's. Plain JavaScript without
// packages: it runs before there are any.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = `${root}node_modules/.holdpoint-lock`;

export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Holdpoint needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/**
 * What npm says is installed is what the lock file asks for (development's packages only where they
 * are wanted).
 */
function installed(lockText, withDev) {
  const hash = createHash('sha256').update(lockText).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return true;
  const hidden = `${root}node_modules/.package-lock.json`;
  if (!existsSync(hidden)) return false;
  try {
    const there = JSON.parse(readFileSync(hidden, 'utf8')).packages;
    const wanted = Object.entries(JSON.parse(lockText).packages);
    return wanted.every(
      ([path, { version, optional, dev }]) =>
        path === '' || optional || (dev && !withDev) || there[path]?.version === version,
    );
  } catch {
    return false;
  }
}

export async function install({ withDev }) {
  const lockText = readFileSync(`${root}package-lock.json`, 'utf8');
  if (installed(lockText, withDev)) return;
  console.log('Installing packages (npm ci), once: about 20 s …');
  const started = Date.now();
  // No package needs its install script: docs/operations.md says why.
  const child = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ticking = setInterval(
    () => console.log(`  … ${Math.round((Date.now() - started) / 1000)} s`),
    5000,
  );
  const forward = (signal) => child.kill(signal);
  process.on('SIGTERM', forward).on('SIGINT', forward);
  const code = await new Promise((done) =>
    child.on('error', () => done(127)).on('exit', (status) => done(status ?? 1)),
  );
  process.off('SIGTERM', forward).off('SIGINT', forward);
  clearInterval(ticking);
  if (code !== 0) {
    console.error('The packages could not be installed: see above. `npm ci` by hand shows more.');
    process.exit(1);
  }
  writeFileSync(stamp, createHash('sha256').update(lockText).digest('hex'));
  console.log(`Packages installed in ${Math.round((Date.now() - started) / 1000)} s.`);
}
