// What is asked of a development server by the Temporal CLI: is it serving, and two things that its
// namespace needs. The flags to start one are here too. Holds no process.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { SEARCH_ATTRIBUTE } from '../contract/names.ts';

export interface DevServerPlace {
  readonly port: number;
  /** The loopback address that the Web UI is at; everything else is at 127.0.0.1. */
  readonly uiIp: string;
  readonly uiPort: number;
  readonly httpPort: number;
  readonly metricsPort: number;
  readonly dbFile: string;
  readonly namespace: string;
}

const ATTRIBUTES: readonly (readonly [name: string, type: string])[] = Object.entries(
  SEARCH_ATTRIBUTE,
).map(([concept, name]) => [name, concept === 'waitingSince' ? 'Datetime' : 'Keyword']);

// One shard and two cores: with the defaults every hop from history to matching waits for a limiter
// of 20 polls a second, and a short run takes 200 ms instead of 50. A production cluster has
// hundreds of shards and needs none of it.
const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'history.visibilityProcessorMaxPollRPS=2000',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'frontend.namespaceCount=10000',
  'frontend.namespaceRPS=20000',
  'frontend.rps=20000',
  // The Web UI's Pause button.
  'frontend.WorkflowPauseEnabled=true',
];

// SQLite's defaults cost a disk flush a transaction. These survive the kill of a process, not a
// power cut.
const PRAGMAS = ['journal_mode=WAL', 'synchronous=NORMAL'];

// The HTTP API has no login and cannot be left out: a page in a browser could signal a run there. It
// answers requests for an allowed host only, and this one is not known outside.
const noHost = (): string =>
  `frontend.httpAllowedHosts=["${randomBytes(16).toString('hex')}.invalid"]`;

export const startArguments = ({
  port,
  uiIp,
  uiPort,
  httpPort,
  metricsPort,
  dbFile,
  namespace,
}: DevServerPlace): readonly string[] => [
  ...[
    'server',
    'start-dev',
    '--ip',
    '127.0.0.1',
    '--ui-ip',
    uiIp,
    '--port',
    String(port),
    '--ui-port',
    String(uiPort),
    '--http-port',
    String(httpPort),
    '--metrics-port',
    String(metricsPort),
  ],
  ...['--db-filename', dbFile, '--log-level', 'error', '--ui-disable-news-fetch'],
  ...(namespace === 'default' ? [] : ['--namespace', namespace]),
  ...PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
  ...[...DYNAMIC_CONFIG, noHost()].flatMap((value) => ['--dynamic-config-value', value]),
  // Taken only while the namespace is being made; an older database file gets what it lacks from
  // `addSearchAttributes`.
  ...ATTRIBUTES.flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
];

export type TemporalCli = (args: readonly string[], timeoutMs?: number) => Promise<string>;

export const createTemporalCli =
  (path: string, address: string): TemporalCli =>
  (args, timeoutMs = 15_000) =>
    new Promise((resolve, reject) => {
      const all = [...args, '--address', address, '--client-connect-timeout', '3s'];
      const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 256 << 20 } as const;
      const child = execFile(path, all, options, (error, out, err) =>
        error === null
          ? resolve(out)
          : reject(
              new Error(
                `temporal ${args.slice(0, 2).join(' ')}: ${(err || error.message).trim()}`,
                { cause: error },
              ),
            ),
      );
      child.stdin?.end();
    });

/** The Web UI and the port answer before the server does: only this shows that it works. */
export const isServing = (cli: TemporalCli): Promise<boolean> =>
  cli(['operator', 'cluster', 'health'], 6000).then(
    (text) => /SERVING/.test(text) && !/NOT_SERVING/.test(text),
    () => false,
  );

export async function addSearchAttributes(cli: TemporalCli, namespace: string): Promise<void> {
  const there = await cli(['operator', 'search-attribute', 'list', '--namespace', namespace]);
  for (const [name, type] of ATTRIBUTES)
    if (!new RegExp(`\\b${name}\\b`).test(there))
      await cli([
        'operator',
        'search-attribute',
        'create',
        '--namespace',
        namespace,
        '--name',
        name,
        '--type',
        type,
      ]);
}

/** Closed runs stay in the Web UI for 30 days, not one. */
export async function raiseRetention(cli: TemporalCli, namespace: string): Promise<void> {
  await cli(['operator', 'namespace', 'update', '--namespace', namespace, '--retention', '720h']);
}
