// The development Temporal server: a child of ours that keeps its data, ports and identity under
// the data directory. It has no login: its Web UI listens where a page in a browser cannot find it,
// and is reached through a guard. One left over from a process that was killed is adopted if it serves, else
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
import { freePort, hiddenLoopback, portIsFree } from './free-port.ts';
import {
  endProcess,
  isAlive,
  signal,
  startTimeOf,
  type ProcessIdentity,
} from './process-identity.ts';
import type { Print } from './step.ts';
import {
  addSearchAttributes,
  createTemporalCli,
  isServing,
  raiseRetention,
  startArguments,
} from './temporal-cli.ts';
import { startWebUiGuard } from './web-ui-guard.ts';

export interface TemporalServerOptions {
  /** The CLI's path. */
  readonly cliPath: string;
  readonly dataDir: string;
  readonly namespace: string;
  readonly print: Print;
  /** A start that is told to stop ends the child it has begun. */
  readonly stopping?: AbortSignal;
}
export interface TemporalServer {
  readonly address: string;
  readonly uiUrl: string;
  readonly adopted: boolean;
  /** Of the present child: another one after a restart. */
  readonly pid: () => number;
  readonly stop: () => Promise<void>;
}
/** Where the child listens, and where its Web UI is reached: through the guard, on 127.0.0.1. */
interface Places {
  readonly port: number;
  readonly httpPort: number;
  readonly metricsPort: number;
  readonly hiddenUiIp: string;
  readonly hiddenUiPort: number;
  readonly uiPort: number;
}
type ChildRecord = ProcessIdentity & Places;

/** A cold start takes one to two seconds, a busy machine ten times that. */
const READY_TIMEOUT_MS = 40_000;
/** One that was left running serves at once, or is stuck. */
const ADOPT_TIMEOUT_MS = 5000;
/**
 * It writes its last transactions in well under a second. One that is told to stop
 * while it starts was seen to take whatever it is given; what it has written survives a kill (WAL).
 */
const STOP_GRACE_MS = 3000;
const WATCH_MS = 250;

/** `places` undefined: of a release that let the child listen elsewhere; it is not adopted. */
interface LeftOver {
  readonly identity: ProcessIdentity;
  readonly places: Places | undefined;
}

function readRecord(file: string): LeftOver | undefined {
  try {
    const { pid, startTime, hiddenUiIp, ...ports } = JSON.parse(readFileSync(file, 'utf8'));
    if (!isPort(pid) || typeof startTime !== 'string') return undefined;
    const { port, httpPort, metricsPort, hiddenUiPort, uiPort } = ports;
    const whole = typeof hiddenUiIp === 'string' && PORTS.every((name) => isPort(ports[name]));
    const places = { port, httpPort, metricsPort, hiddenUiIp, hiddenUiPort, uiPort };
    return { identity: { pid, startTime }, places: whole ? places : undefined };
  } catch {
    return undefined;
  }
}

const PORTS = ['port', 'httpPort', 'metricsPort', 'hiddenUiPort', 'uiPort'] as const;
const isPort = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;

async function placesFree({ hiddenUiIp, hiddenUiPort, ...ports }: Places): Promise<boolean> {
  for (const port of [ports.port, ports.httpPort, ports.metricsPort, ports.uiPort])
    if (!(await portIsFree(port))) return false;
  return portIsFree(hiddenUiPort, hiddenUiIp);
}

async function drawPlaces(): Promise<Places> {
  const hiddenUiIp = await hiddenLoopback();
  const drawn = new Set<number>();
  while (drawn.size < 4) drawn.add(await freePort());
  const [port = 0, httpPort = 0, metricsPort = 0, uiPort = 0] = drawn;
  let hiddenUiPort = await freePort(hiddenUiIp);
  while (drawn.has(hiddenUiPort)) hiddenUiPort = await freePort(hiddenUiIp);
  return { port, httpPort, metricsPort, hiddenUiIp, hiddenUiPort, uiPort };
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
  print,
  stopping: told,
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
    const end = Date.now() + timeoutMs;
    for (; isAlive(identity) && Date.now() < end && !told?.aborted; await sleep(50))
      if ((await accepts(port)) && (await isServing(cli))) return isAlive(identity);
    return false;
  }

  function launch(from: Places): ChildRecord | undefined {
    const { port, httpPort, metricsPort, hiddenUiIp, hiddenUiPort, uiPort } = from;
    const places = { port, httpPort, metricsPort, hiddenUiIp, hiddenUiPort, uiPort };
    const ui = { uiIp: hiddenUiIp, uiPort: hiddenUiPort };
    const place = { port, httpPort, metricsPort, ...ui, dbFile, namespace };
    const log = openSync(logFile, 'a');
    // A group of its own: Ctrl-C in the terminal must not end it before what is under way has
    // drained.
    const child = spawn(cliPath, startArguments(place), {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.on('error', () => undefined);
    child.unref();
    const startTime = child.pid === undefined ? undefined : startTimeOf(child.pid);
    if (child.pid === undefined || startTime === undefined) return undefined;
    const record = { pid: child.pid, startTime, ...places };
    // Whole or not at all: a torn record would leave a child that no later start adopts.
    writeFileSync(`${recordFile}.new`, JSON.stringify(record));
    renameSync(`${recordFile}.new`, recordFile);
    return record;
  }

  async function fresh(last: Places | undefined): Promise<ChildRecord> {
    for (let attempt = 1; attempt <= 3; attempt++) {
      const same = attempt === 1 && last !== undefined && (await placesFree(last));
      const started = launch(same ? last : await drawPlaces());
      if (started !== undefined && (await until(started, started.port))) return started;
      if (started !== undefined) await endProcess(started, 1000);
      told?.throwIfAborted();
    }
    throw new Error(`The development Temporal server did not start: ${logFile} says why.`);
  }

  const left = readRecord(recordFile);
  const kept = left?.places === undefined ? undefined : { ...left.identity, ...left.places };
  const adopted =
    kept !== undefined && isAlive(kept) && (await until(kept, kept.port, ADOPT_TIMEOUT_MS))
      ? kept
      : undefined;
  if (left !== undefined && adopted === undefined) await endProcess(left.identity, STOP_GRACE_MS);
  const old = existsSync(dbFile);
  let child: ChildRecord = adopted ?? (await fresh(left?.places));
  let stopping = false;
  const { port, hiddenUiIp, hiddenUiPort } = child;
  const uiPort = (await portIsFree(child.uiPort)) ? child.uiPort : await freePort();
  const cli = createTemporalCli(cliPath, `127.0.0.1:${port}`);
  const guard = await startWebUiGuard(uiPort, { host: hiddenUiIp, port: hiddenUiPort });
  if (old) await addSearchAttributes(cli, namespace);
  // in its own time; the next start tries again
  if (adopted === undefined) void raiseRetention(cli, namespace).catch(() => undefined);

  async function watch(): Promise<void> {
    while (!stopping) {
      await sleep(WATCH_MS, undefined, { ref: false });
      if (stopping || isAlive(child)) continue;
      print(`The Temporal server ended by itself: starting it again on port ${port}.`);
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
    adopted: adopted !== undefined,
    pid: () => child.pid,
    stop: async () => {
      stopping = true;
      await guard.close();
      await endProcess(child, STOP_GRACE_MS);
      process.off('exit', endWithUs);
      await Promise.race([watching, sleep(WATCH_MS * 2)]);
      await endProcess(child, STOP_GRACE_MS);
    },
  };
}
