// The process of the development Temporal server: where it listens, its start, and the file that
// keeps its identity for the next start.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, hiddenLoopback, portIsFree } from './free-port.ts';
import { endProcess, isAlive, startTimeOf, type ProcessIdentity } from './process-identity.ts';
import { createTemporalCli, isServing, startArguments } from './temporal-cli.ts';

/** Where the child listens, and where its Web UI is reached: through the guard, on 127.0.0.1. */
export interface Places {
  readonly port: number;
  readonly httpPort: number;
  readonly metricsPort: number;
  readonly hiddenUiIp: string;
  readonly hiddenUiPort: number;
  readonly uiPort: number;
}
export type ChildRecord = ProcessIdentity & Places;

/** A cold start takes one to two seconds, a busy machine ten times that. */
const READY_TIMEOUT_MS = 40_000;
/** `places` undefined: of a release that let the child listen elsewhere; it is not adopted. */
export interface LeftOver {
  readonly identity: ProcessIdentity;
  readonly places: Places | undefined;
}

export function readRecord(file: string): LeftOver | undefined {
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

/** A process that counts as ended may have threads left that hold its listeners for a moment. */
const CLOSING_MS = 1000;

async function becomeFree(places: Places): Promise<boolean> {
  for (const end = Date.now() + CLOSING_MS; ; await sleep(50)) {
    if (await placesFree(places)) return true;
    if (Date.now() > end) return false;
  }
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

export interface ChildOptions {
  /** The CLI's path. */
  readonly cliPath: string;
  readonly namespace: string;
  readonly folder: string;
  readonly recordFile: string;
  readonly dbFile: string;
  readonly logFile: string;
  /** A start that is aborted ends the child it has begun. */
  readonly stopping: AbortSignal | undefined;
}

/** Whether the process serves within the time. */
export async function serves(
  { cliPath, stopping }: ChildOptions,
  identity: ProcessIdentity,
  port: number,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<boolean> {
  const cli = createTemporalCli(cliPath, `127.0.0.1:${port}`);
  const end = Date.now() + timeoutMs;
  for (; isAlive(identity) && Date.now() < end && stopping?.aborted !== true; await sleep(50))
    if ((await accepts(port)) && (await isServing(cli))) return isAlive(identity);
  return false;
}

export function launch(options: ChildOptions, from: Places): ChildRecord | undefined {
  const { cliPath, namespace, folder, recordFile, dbFile, logFile } = options;
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

/** A new child, where the last one listened if that is free. */
export async function launchFresh(
  options: ChildOptions,
  last: Places | undefined,
): Promise<ChildRecord> {
  for (let attempt = 1; attempt <= 3; attempt++) {
    const same = attempt === 1 && last !== undefined && (await becomeFree(last));
    const started = launch(options, same ? last : await drawPlaces());
    if (started !== undefined && (await serves(options, started, started.port))) return started;
    if (started !== undefined) await endProcess(started, 1000);
    options.stopping?.throwIfAborted();
  }
  throw new Error(`The development Temporal server did not start: see ${options.logFile}.`);
}
