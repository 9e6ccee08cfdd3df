// Runs a command for a parent that may be killed at any moment: where the parent's end of our
// standard input is closed, the command and all that it started are ended. It runs in a process
// group of its own, so that what it starts (npx starts a shell, which starts the program) ends too.

import { spawn } from 'node:child_process';

/** A server that watches its input ends by itself in this time. */
const BY_ITSELF_MS = 300;
const KILL_AFTER_MS = 400;

const [command, ...args] = process.argv.slice(2);
const child = spawn(command ?? '', args, { stdio: ['pipe', 'inherit', 'inherit'], detached: true });

function signalAll(signal) {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It has ended.
  }
}

let ending = false;
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
// A terminal sends these to everybody at once: the parent's drain decides when.
process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);
