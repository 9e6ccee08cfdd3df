// The product as real processes: `npm start`, `npm run api`, `npm run worker`, each in a process
// group of its own that a test may kill. What it prints is kept. The Temporal child of `npm start`
// has its own group: kill9 spares it, stop ends it.

import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endProcess } from '../../src/dev/process-identity.ts';
import { atExit } from './at-exit.ts';
import { freePort } from './free-port.ts';
import { until } from './wait.ts';

export interface ProductOptions {
  readonly role: 'start' | 'api' | 'worker';
  /** Nothing else of the test's own environment gets through but what a shell has. */
  readonly env: Readonly<Record<string, string>>;
  /** Give back at once, without waiting for /health/ready (a worker has none). */
  readonly noWait?: boolean;
  /** A compiled tree, as the image has it, instead of this one's sources. */
  readonly compiledIn?: string;
  /** The sources of the first release, instead of this one's. */
  readonly firstReleaseIn?: string;
}
export interface ProductProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: () => number | undefined;
  readonly log: () => string;
  readonly ready: (timeoutMs?: number) => Promise<void>;
  readonly exited: () => Promise<{
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
  }>;
  readonly signal: (name: NodeJS.Signals) => void;
  readonly kill9: () => Promise<void>;
  /** Again, with the same settings and port. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND = {
  start: ['bin/start.mjs'],
  api: ['--import', 'tsx', 'src/main/api.ts'],
  worker: ['--import', 'tsx', 'src/main/worker.ts'],
} as const;
const COMPILED = {
  start: ['lib/main/start.js'],
  api: ['lib/main/api.js'],
  worker: ['lib/main/worker.js'],
} as const;
const FIRST_RELEASE = {
  start: ['bin/start.mjs'],
  api: ['--import', 'tsx', 'src/api/server.ts'],
  worker: ['--import', 'tsx', 'src/worker.ts'],
} as const;
const KEPT = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'TMPDIR',
  'TERM',
  'TZ',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'SSL_CERT_FILE',
];

function shellEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env))
    if (value !== undefined && (KEPT.includes(name) || name.startsWith('PIP_'))) kept[name] = value;
  return kept;
}

export async function startProduct({
  role,
  env,
  noWait = false,
  compiledIn,
  firstReleaseIn,
}: ProductOptions): Promise<ProductProcess> {
  const port = env['PORT'] === undefined ? await freePort() : Number(env['PORT']);
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let text = '';
  let ended = Promise.resolve<{ code: number | null; signal: NodeJS.Signals | null }>({
    code: null,
    signal: null,
  });
  const running = (): boolean =>
    child !== undefined && child.exitCode === null && child.signalCode === null;
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (running() && child?.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // it has ended
    }
  };
  atExit(() => signal('SIGKILL'));
  const ready = (timeoutMs = 120_000): Promise<void> =>
    until(
      `${role} ready`,
      async () => {
        if (!running()) throw new Error(`${role} ended before it was ready:\n${text.slice(-2000)}`);
        return fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(3000) }).then(
          (r) => r.ok,
          () => false,
        );
      },
      timeoutMs,
    );
  const start = async (): Promise<void> => {
    const commands = firstReleaseIn ? FIRST_RELEASE : compiledIn ? COMPILED : COMMAND;
    const command = commands[role];
    const options = {
      cwd: firstReleaseIn ?? compiledIn ?? ROOT,
      env: { ...shellEnvironment(), ...env, PORT: String(port) },
      detached: true,
    } as const;
    const started = spawn(process.execPath, command, {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    for (const stream of [started.stdout, started.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    ended = new Promise((done) =>
      started.once('exit', (code, name) => done({ code, signal: name })),
    );
    if (!noWait) await ready();
  };
  const stop = async (): Promise<void> => {
    signal('SIGTERM');
    const killing = setTimeout(() => signal('SIGKILL'), 15_000);
    if (running()) await ended;
    clearTimeout(killing);
    const dataDir = env['DATA_DIR'];
    if (role !== 'start' || dataDir === undefined) return;
    try {
      await endProcess(
        JSON.parse(readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8')),
        1000,
      ); // left by a kill9
    } catch {
      // there was none
    }
  };
  const kill9 = async (): Promise<void> => {
    signal('SIGKILL');
    if (child !== undefined) await ended;
  };
  await start();
  return {
    url,
    port,
    pid: () => child?.pid,
    log: () => text,
    ready,
    exited: () => ended,
    signal,
    kill9,
    start,
    stop,
  };
}
