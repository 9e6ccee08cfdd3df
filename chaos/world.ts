// Everything there is during a run of the program, put together: servers, proxies, sink, model, two
// APIs, two workers, tokens.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { tempDir } from '../test/rig/temp-dir.ts';
import { startTemporal, type TemporalRig } from '../test/rig/temporal.ts';
import { AGENT_FILE } from './agent-file.ts';
import { startModel, type ModelServer } from './model.ts';
import { createOperator, type Operator } from './operator.ts';
import { startChaosPostgres, type ChaosPostgres } from './postgres.ts';
import { lookAfter, type Looked } from './process.ts';
import { createProxy, type Proxy } from './proxy.ts';
import type { LinkName } from './schedule.ts';
import { startSink, type Sink } from './sink.ts';

export type Two<T> = readonly [T, T];

export interface World {
  readonly folder: string;
  readonly postgres: ChaosPostgres;
  readonly temporal: TemporalRig;
  readonly operator: Operator;
  readonly sink: Sink;
  readonly model: ModelServer;
  readonly links: Readonly<Record<LinkName, Two<Proxy>>>;
  readonly apis: Two<Looked>;
  readonly workers: Two<Looked>;
  readonly token: (org: string) => string;
  /**
   * Why clocks can't be moved; else the second API's and the second worker's are moved by so many
   * seconds.
   */
  readonly noClock: string | undefined;
  readonly moveClock: (seconds: number) => void;
  /** From a process's start to its readiness, as measured at the beginning, on this machine. */
  readonly restartMs: number;
  readonly close: () => Promise<void>;
}

export const ORGS = ['acme', 'zeta'] as const;

const fakeTimeLibrary = (): string | undefined => {
  const given = process.env['CHAOS_LIBFAKETIME'];
  const roots = existsSync('/usr/lib')
    ? readdirSync('/usr/lib').map((name) => join('/usr/lib', name, 'faketime'))
    : [];
  return [
    ...(given === undefined ? [] : [given]),
    ...roots.map((root) => join(root, 'libfaketimeMT.so.1')),
  ].find((path) => existsSync(path));
};

export async function createWorld(onUnmeant: (what: string) => void): Promise<World> {
  const folder = tempDir();
  const agents = join(folder, 'agents');
  mkdirSync(agents);
  const sink = await startSink(join(folder, 'effects.jsonl'));
  writeFileSync(join(agents, 'chaos.yaml'), AGENT_FILE(sink.url));
  const model = await startModel();
  const [postgres, temporal] = await Promise.all([startChaosPostgres(), startTemporal()]);
  const operator = createOperator(temporal);
  const temporalPort = Number(temporal.address.split(':')[1]);
  const two = async (port: number): Promise<Two<Proxy>> => [
    await createProxy({ port }),
    await createProxy({ port }),
  ];
  const links = {
    'api-pg': await two(postgres.port),
    'api-temporal': await two(temporalPort),
    'worker-pg': await two(postgres.port),
    'worker-temporal': await two(temporalPort),
    'worker-model': await two(model.port),
  } as const;

  const secret = randomBytes(32).toString('hex');
  const library = fakeTimeLibrary();
  const clock = join(folder, 'clock');
  writeFileSync(clock, '+0\n');
  const fake =
    library === undefined
      ? {}
      : {
          ...{
            LD_PRELOAD: library,
            FAKETIME_TIMESTAMP_FILE: clock,
            FAKETIME_NO_CACHE: '1',
            FAKETIME_DONT_FAKE_MONOTONIC: '1',
          },
        };
  const envOf = (role: 'api' | 'worker', i: 0 | 1): Record<string, string> => ({
    DATABASE_URL: postgres.urlAt(links[`${role}-pg`][i].port),
    TEMPORAL_ADDRESS: `127.0.0.1:${links[`${role}-temporal`][i].port}`,
    OPENAI_BASE_URL: `http://127.0.0.1:${links['worker-model'][i].port}/v1`,
    OPENAI_API_KEY: 'scripted',
    JWT_SECRET: secret,
    AGENTS_DIR: agents,
    DATA_DIR: join(folder, `${role}${i + 1}`),
    LOG_LEVEL: 'error',
    CHAOS_WORKER: `${role}${i + 1}`,
    ...(i === 1 ? fake : {}),
  });
  const start = (role: 'api' | 'worker', i: 0 | 1) =>
    lookAfter({ name: `${role}${i + 1}`, role, env: envOf(role, i), onUnmeant });
  // One first: it migrates, the others find that done.
  const api1 = await start('api', 0);
  await ready(api1, 60_000);
  const began = Date.now();
  const [api2, worker1, worker2] = await Promise.all([
    start('api', 1),
    start('worker', 0),
    start('worker', 1),
  ]);
  await ready(api2, 60_000);
  const restartMs = Date.now() - began;
  const tokens = new Map<string, string>();
  for (const org of ORGS) tokens.set(org, await tokenFor(secret, org));
  return {
    folder,
    postgres,
    temporal,
    operator,
    sink,
    model,
    links,
    apis: [api1, api2],
    workers: [worker1, worker2],
    token: (org) => tokens.get(org) ?? '',
    noClock:
      library === undefined
        ? 'libfaketime is not installed (Debian package libfaketime, or CHAOS_LIBFAKETIME=<its .so>)'
        : undefined,
    restartMs,
    moveClock: (seconds) => writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}\n`),
    close: async () => {
      await Promise.all([api1, api2, worker1, worker2].map((process) => process.stop()));
      await operator.close();
      for (const pair of Object.values(links)) for (const proxy of pair) proxy.close();
      await Promise.all([sink.close(), model.close(), temporal.stop(), postgres.stop()]);
    },
  };
}

/** Made three hours ago, so that a clock put back does not make it one of the future. */
async function tokenFor(secret: string, org: string): Promise<string> {
  const madeS = Math.floor(Date.now() / 1000) - 3 * 3600;
  return new SignJWT({
    sub: `ada-${org}`,
    org_id: org,
    roles: [],
    scope: 'runs:write runs:read runs:cancel runs:approve',
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(madeS)
    .setExpirationTime(madeS + 23 * 3600)
    .sign(new TextEncoder().encode(secret));
}

async function ready({ name, url, log }: Looked, timeoutMs: number): Promise<void> {
  for (const end = Date.now() + timeoutMs; ;) {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(3000) }).then(
      (response) => response.ok,
      () => false,
    );
    if (answer) return;
    if (Date.now() > end)
      throw new Error(`${name} is not ready within ${timeoutMs} ms: ${log().slice(-1500)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
