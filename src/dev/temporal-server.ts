// The development Temporal server: a child of ours that keeps its data, ports and identity under
// the data directory. One left over from a process that was killed is adopted if it serves, else
// exactly that one is ended. It never outlives a normal stop. Finds no program (find-temporal.ts)
// and imports no SDK.

import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, portIsFree } from './free-port.ts';
import {
  endProcess,
  isAlive,
  signal,
  startTimeOf,
  type ProcessIdentity,
} from './process-identity.ts';
import type { Say } from './step.ts';
import {
  addSearchAttributes,
  createTemporalCli,
  isServing,
  raiseRetention,
  startArguments,
} from './temporal-cli.ts';

export interface TemporalServerOptions {
  /** The CLI's path. */
  readonly cliPath: string;
  readonly dataDir: string;
  readonly namespace: string;
  readonly say: Say;
}
export interface TemporalServer {
  readonly address: string;
  readonly uiUrl: string;
  readonly adopted: boolean;
  /** Of the present child: another one after a restart. */
  readonly pid: () => number;
  readonly stop: () => Promise<void>;
}
interface Ports {
  readonly port: number;
  readonly uiPort: number;
  readonly httpPort: number;
}
type ChildRecord = ProcessIdentity & Ports;

/** A cold start takes one to two seconds, a busy machine ten times that. */
const READY_TIMEOUT_MS = 40_000;
/** One that was left running serves at once, or is stuck. */
const ADOPT_TIMEOUT_MS = 5000;
/** It writes its last transactions in well under a second. */
const STOP_GRACE_MS = 8000;
const WATCH_MS = 250;

function readRecord(file: string): ChildRecord | undefined {
  try {
    const { pid, startTime, port, uiPort, httpPort } = JSON.parse(readFileSync(file, 'utf8'));
    const numbers = [pid, port, uiPort, httpPort].every(
      (value) => Number.isInteger(value) && value > 0,
    );
    return numbers && typeof startTime === 'string'
      ? { pid, startTime, port, uiPort, httpPort }
      : undefined;
  } catch {
    return undefined;
  }
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => done(socket.destroy() !== undefined)).on(
      'error',
      () => done(false),
    );
  });

export async function startTemporalServer({
  cliPath,
  dataDir,
  namespace,
  say,
}: TemporalServerOptions): Promise<TemporalServer> {
  const folder = join(dataDir, 'temporal');
  mkdirSync(folder, { recursive: true });
  const recordFile = join(folder, 'child.json');
  const dbFile = join(folder, 'temporal.db');
  const logFile = join(folder, 'server.log');

  async function until(
    identity: ProcessIdentity,
    port: number,
    timeoutMs = READY_TIMEOUT_MS,
  ): Promise<boolean> {
    const cli = createTemporalCli(cliPath, `127.0.0.1:${port}`);
    for (const end = Date.now() + timeoutMs; isAlive(identity) && Date.now() < end; await sleep(50))
      if ((await accepts(port)) && (await isServing(cli))) return isAlive(identity);
    return false;
  }

  function launch({ port, uiPort, httpPort }: Ports): ChildRecord | undefined {
    const ports = { port, uiPort, httpPort };
    const log = openSync(logFile, 'a');
    // A group of its own: Ctrl-C in the terminal must not end it before what is under way has
    // drained.
    const child = spawn(cliPath, startArguments({ ...ports, dbFile, namespace }), {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.on('error', () => undefined);
    child.unref();
    const startTime = child.pid === undefined ? undefined : startTimeOf(child.pid);
    if (child.pid === undefined || startTime === undefined) return undefined;
    const record = { pid: child.pid, startTime, ...ports };
    // Whole or not at all: a torn record would leave a child that nobody adopts.
    writeFileSync(`${recordFile}.new`, JSON.stringify(record));
    renameSync(`${recordFile}.new`, recordFile);
    return record;
  }

  async function fresh(last: Ports | undefined): Promise<ChildRecord> {
    for (let attempt = 1; attempt <= 3; attempt++) {
      const same =
        attempt === 1 &&
        last !== undefined &&
        (await portIsFree(last.port)) &&
        (await portIsFree(last.uiPort)) &&
        (await portIsFree(last.httpPort));
      const ports = same
        ? last
        : { port: await freePort(), uiPort: await freePort(), httpPort: await freePort() };
      const started = launch(ports);
      if (started !== undefined && (await until(started, started.port))) return started;
      if (started !== undefined) await endProcess(started, 1000);
    }
    throw new Error(`The development Temporal server did not start: ${logFile} says why.`);
  }

  const left = readRecord(recordFile);
  const serves =
    left !== undefined && isAlive(left) && (await until(left, left.port, ADOPT_TIMEOUT_MS));
  if (left !== undefined && !serves) await endProcess(left, STOP_GRACE_MS);
  const old = existsSync(dbFile);
  let child: ChildRecord = left !== undefined && serves ? left : await fresh(left);
  let stopping = false;
  const { port, uiPort } = child;
  const cli = createTemporalCli(cliPath, `127.0.0.1:${port}`);
  if (old) await addSearchAttributes(cli, namespace);
  // in its own time; the next start tries again
  if (!serves) void raiseRetention(cli, namespace).catch(() => undefined);

  async function watch(): Promise<void> {
    while (!stopping) {
      await sleep(WATCH_MS, undefined, { ref: false });
      if (stopping || isAlive(child)) continue;
      say(`The Temporal server ended by itself: starting it again on port ${port}.`);
      const again = launch(child);
      if (again !== undefined) child = again;
      if (again === undefined || !(await until(again, port))) await sleep(1000);
    }
  }
  const watching = watch();
  const endWithUs = (): void => signal(child, 'SIGTERM');
  process.once('exit', endWithUs);

  return {
    address: `127.0.0.1:${port}`,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    adopted: serves,
    pid: () => child.pid,
    stop: async () => {
      stopping = true;
      await endProcess(child, STOP_GRACE_MS);
      process.off('exit', endWithUs);
      await Promise.race([watching, sleep(WATCH_MS * 2)]);
      await endProcess(child, STOP_GRACE_MS);
    },
  };
}
