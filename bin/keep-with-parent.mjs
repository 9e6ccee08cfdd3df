// Runs a command for a parent that may be killed at any moment, alone or with its process group:
// where the parent's end of our standard input is closed, the command and all that it started are
// ended. For that it leaves the parent's group at once, and the command gets a group of its own, so
// that what it starts (npx starts a shell, which starts the program) ends too.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A server that watches its input ends by itself in this time. */
const BY_ITSELF_MS = 300;
const KILL_AFTER_MS = 400;
const APART = '--apart';

const [first = '', ...rest] = process.argv.slice(2);
if (first === APART) watch(rest[0] ?? '', rest.slice(1));
else {
  const apart = spawn(process.execPath, [fileURLToPath(import.meta.url), APART, first, ...rest], {
    stdio: 'inherit',
    detached: true,
  });
  // Where this process ends, the parent closes the input, and what is apart sees that.
  apart.on('exit', (code) => process.exit(code ?? 1));
  process.on('SIGTERM', () => apart.kill('SIGTERM'));
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
function watch(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'], detached: true });

  /** @param {NodeJS.Signals} signal */
  function signalAll(signal) {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // It has ended.
    }
  }

  let ending = false;
  /** @param {number} afterMs */
  function end(afterMs) {
    if (ending) return;
    ending = true;
    child.stdin.end();
    setTimeout(() => signalAll('SIGTERM'), afterMs);
    setTimeout(() => {
      signalAll('SIGKILL');
      process.exit(0);
    }, afterMs + KILL_AFTER_MS);
  }

  child.on('error', () => process.exit(127));
  child.on('exit', (code) => {
    signalAll('SIGKILL');
    process.exit(code ?? 1);
  });
  child.stdin.on('error', () => end(0));
  process.stdin.pipe(child.stdin, { end: false });
  process.stdin.on('end', () => end(BY_ITSELF_MS));
  process.stdin.on('error', () => end(BY_ITSELF_MS));
  process.on('SIGTERM', () => end(0));
}
