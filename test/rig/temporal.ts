// A real Temporal development server with a database file of its own, which a test may kill and
// start again on the same ports. Started with the product's own flags; the CLI is installed once,
// into a folder shared by all test runs.

import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { findTemporal } from '../../src/dev/find-temporal.ts';
import { createTemporalCli, isServing, startArguments } from '../../src/dev/temporal-cli.ts';
import { atExit } from './at-exit.ts';
import { freePort } from './free-port.ts';
import { until } from './wait.ts';

export interface TemporalRig {
  readonly address: string;
  readonly uiUrl: string;
  readonly namespace: string;
  /** Where its database is. */
  readonly dataDir: string;
  /** What the Temporal CLI prints, asked of this server. */
  readonly cli: (args: readonly string[]) => Promise<string>;
  readonly pid: () => number | undefined;
  readonly kill9: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** Copies its database away; the server is down for a moment. */
  readonly backup: () => Promise<void>;
  /** Puts the copy back. */
  readonly restore: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

let found: Promise<string> | undefined;

/** The path of the Temporal CLI. */
export function temporalCliPath(): Promise<string> {
  const find = async (): Promise<string> => {
    const dataDir = join(tmpdir(), `holdpoint-test-cli-${userInfo().username}`);
    const result = await findTemporal({
      dataDir,
      configured: process.env['TEMPORAL_CLI'] ?? null,
      print: (line) => console.log(line),
    });
    if (!result.ok) throw new Error(result.problem);
    return result.path;
  };
  return (found ??= find());
}

export async function startTemporal(): Promise<TemporalRig> {
  const path = await temporalCliPath();
  const folder = mkdtempSync(join(tmpdir(), 'holdpoint-temporal-'));
  const [port, uiPort, httpPort] = [await freePort(), await freePort(), await freePort()];
  const metricsPort = await freePort();
  mkdirSync(join(folder, 'data'));
  const namespace = 'default';
  const cli = createTemporalCli(path, `127.0.0.1:${port}`);
  let child: ChildProcess | undefined;
  const end = async (name: NodeJS.Signals): Promise<void> => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exited = new Promise((done) => running.once('exit', done));
    running.kill(name);
    await exited;
  };
  const start = async (): Promise<void> => {
    const log = openSync(join(folder, 'server.log'), 'a');
    const args = startArguments({
      port,
      uiIp: '127.0.0.1',
      uiPort,
      httpPort,
      metricsPort,
      dbFile: join(folder, 'data', 'temporal.db'),
      namespace,
    });
    child = spawn(path, args, { cwd: folder, stdio: ['ignore', log, log] });
    await until('the Temporal server', () => isServing(cli), 40_000, 100);
  };
  atExit(() => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const copied = async (from: string, to: string): Promise<void> => {
    await end('SIGTERM');
    cpSync(join(folder, from), join(folder, to), { recursive: true });
    await start();
  };
  await start();
  return {
    address: `127.0.0.1:${port}`,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    namespace,
    dataDir: join(folder, 'data'),
    cli: (args) => cli(args, 60_000),
    start,
    backup: () => copied('data', 'backup'),
    restore: async () => {
      await end('SIGKILL');
      rmSync(join(folder, 'data'), { recursive: true, force: true });
      await copied('backup', 'data');
    },
    pid: () => child?.pid,
    kill9: () => end('SIGKILL'),
    stop: async () => {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
