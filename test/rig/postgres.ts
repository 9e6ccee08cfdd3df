// A real PostgreSQL for tests: a server of our own in a temporary folder, or the one that
// TEST_DATABASE_URL names. Where neither can be had the caller skips with the reason, unless
// HOLDPOINT_REQUIRE_POSTGRES is set: then it throws.

import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { atExit } from './at-exit.ts';
import { freePort } from './free-port.ts';
import { skipBecause } from './skip.ts';
import { until } from './wait.ts';

export interface PostgresRig {
  /** As a superuser, of the maintenance database. */
  readonly url: string;
  /** Rows of the last statement; `url` names another database. */
  readonly sql: (text: string, url?: string) => Promise<readonly Record<string, unknown>[]>;
  readonly createDatabase: () => Promise<string>;
  /** False with TEST_DATABASE_URL: that server is not ours to kill. */
  readonly ours: boolean;
  /** What a server of ours has said so far; "" of another. */
  readonly log: () => string;
  readonly kill9: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
}
export type PostgresResult =
  | { readonly ok: true; readonly postgres: PostgresRig }
  | { readonly ok: false; readonly reason: string };

const output = (command: string, ...args: string[]): string =>
  spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 }).stdout ?? '';

function binaries(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian)
    ? readdirSync(debian).sort((a, b) => Number(b) - Number(a))
    : [];
  const places = [
    ...(process.env['PATH'] ?? '').split(':'),
    output('pg_config', '--bindir').trim(),
    ...versions.map((v) => join(debian, v, 'bin')),
  ];
  return (
    places
      .filter((place) => existsSync(join(place, 'initdb')))
      // a link may lie in a folder that lacks the others
      .map((place) => dirname(realpathSync(join(place, 'initdb'))))
      .find((place) => existsSync(join(place, 'postgres')))
  );
}

async function query(text: string, url: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(text);
    return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
  } finally {
    await client.end();
  }
}

const rigFor = (
  url: string,
  server: Pick<PostgresRig, 'ours' | 'log' | 'kill9' | 'start' | 'stop'>,
): PostgresRig => ({
  ...server,
  url,
  sql: (text, other = url) => query(text, other),
  createDatabase: async () => {
    const name = `holdpoint_${randomBytes(6).toString('hex')}`;
    await query(`create database ${name}`, url);
    const address = new URL(url);
    address.pathname = `/${name}`;
    return address.href;
  },
});

/** `programs`: where they are, for a server of ours whatever TEST_DATABASE_URL says. */
export async function startPostgres(programs?: string): Promise<PostgresResult> {
  const given = programs === undefined ? process.env['TEST_DATABASE_URL'] : undefined;
  if (given !== undefined && given !== '') {
    const notOurs = () =>
      Promise.reject(new Error('the server of TEST_DATABASE_URL is not ours to stop'));
    return {
      ok: true,
      postgres: rigFor(given, {
        ours: false,
        log: () => '',
        kill9: notOurs,
        start: notOurs,
        stop: () => Promise.resolve(),
      }),
    };
  }
  const missing = (reason: string): PostgresResult => {
    if (process.env['HOLDPOINT_REQUIRE_POSTGRES']) throw new Error(reason);
    return { ok: false, reason };
  };
  const bin = programs ?? binaries();
  if (bin === undefined)
    return missing('no PostgreSQL server programs here, and TEST_DATABASE_URL is not set');
  // initdb refuses root
  let user: { readonly uid?: number; readonly gid?: number } = {};
  if (process.getuid?.() === 0) {
    const [uid, gid] = [
      Number(output('id', '-u', 'postgres') || NaN),
      Number(output('id', '-g', 'postgres') || NaN),
    ];
    if (Number.isNaN(uid) || Number.isNaN(gid))
      return missing('root may not run PostgreSQL, and there is no user postgres');
    user = { uid, gid };
  }
  const folder = mkdtempSync(join(tmpdir(), 'holdpoint-pg-'));
  chmodSync(folder, 0o755);
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (user.uid !== undefined && user.gid !== undefined) chownSync(data, user.uid, user.gid);
  const init = [
    '-D',
    data,
    '-U',
    'postgres',
    '--auth=trust',
    '-E',
    'UTF8',
    '--no-locale',
    '--no-sync',
  ];
  execFileSync(join(bin, 'initdb'), init, { ...user, cwd: data, stdio: 'pipe' });

  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let child: ChildProcess | undefined;
  const signal = (name: NodeJS.Signals, group: boolean): void => {
    try {
      if (child?.pid !== undefined) process.kill(group ? -child.pid : child.pid, name);
    } catch {
      // it has ended
    }
  };
  const end = async (name: NodeJS.Signals, group: boolean): Promise<void> => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exited = new Promise((done) => running.once('exit', done));
    signal(name, group);
    await exited;
  };
  atExit(() => {
    signal('SIGKILL', true);
    rmSync(folder, { recursive: true, force: true });
  });
  const start = async (): Promise<void> => {
    const log = openSync(join(folder, 'postgres.log'), 'a');
    // fsync off: what these tests kill is a process, never the machine
    const args = [
      '-D',
      data,
      '-p',
      String(port),
      '-k',
      data,
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'fsync=off',
      '-c',
      'max_connections=200',
    ];
    child = spawn(join(bin, 'postgres'), args, {
      ...user,
      cwd: data,
      detached: true,
      stdio: ['ignore', log, log],
    });
    const works = () =>
      query('select 1', url).then(
        () => true,
        () => false,
      );
    await until('PostgreSQL', works, 30_000, 100);
  };
  await start();
  const stop = async (): Promise<void> => {
    await end('SIGINT', false);
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    ok: true,
    postgres: rigFor(url, {
      ours: true,
      log: () => readFileSync(join(folder, 'postgres.log'), 'utf8'),
      start,
      stop,
      kill9: () => end('SIGKILL', true),
    }),
  };
}

/** For `before` hooks: the server, or the suite is skipped with the reason. */
export async function postgresOrSkip(context: Mocha.Context): Promise<PostgresRig> {
  const result = await startPostgres();
  return result.ok ? result.postgres : skipBecause(context, result.reason);
}
