// A PostgreSQL of the program's own, as test/rig/postgres.ts has one, but with fsync on and its log
// of transactions on a small tmpfs (where one can be mounted), so that the disk can be filled. May
// be killed, stopped and started again on the same port.

import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { atExit } from '../test/rig/at-exit.ts';
import { freePort } from '../test/rig/free-port.ts';
import { until } from '../test/rig/wait.ts';

export interface ChaosPostgres {
  readonly port: number;
  /** Past the proxies, for the program's own checks. */
  readonly url: string;
  /** Of the server, wherever it listens for whom. */
  readonly urlAt: (port: number) => string;
  readonly kill9: () => Promise<void>;
  readonly signal: (name: 'SIGSTOP' | 'SIGCONT') => void;
  readonly start: () => Promise<void>;
  readonly running: () => boolean;
  /** Why the disk can't be filled; undefined where it can. */
  readonly noSmallDisk: string | undefined;
  readonly fillDisk: () => void;
  readonly freeDisk: () => void;
  readonly stop: () => Promise<void>;
}

const WAL_MB = 256;

const output = (command: string, ...args: string[]): string =>
  spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 }).stdout ?? '';

function binaries(): string {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian)
    ? readdirSync(debian).sort((a, b) => Number(b) - Number(a))
    : [];
  const places = [
    ...(process.env['PATH'] ?? '').split(':'),
    ...versions.map((version) => join(debian, version, 'bin')),
  ];
  const found = places
    .filter((place) => existsSync(join(place, 'initdb')))
    .map((place) => dirname(realpathSync(join(place, 'initdb'))))
    .find((place) => existsSync(join(place, 'postgres')));
  if (found === undefined)
    throw new Error('The program needs PostgreSQL: no server programs are here.');
  return found;
}

const FOLDER = 'holdpoint-chaos-pg-';

/** A program that was ended by SIGKILL left its small disk mounted. */
function clearAfterKilled(): void {
  const mounts = existsSync('/proc/mounts') ? readFileSync('/proc/mounts', 'utf8') : '';
  for (const [, folder = '', pid = ''] of mounts.matchAll(
    new RegExp(`^tmpfs (\\S+/${FOLDER}(\\d+)-[^/\\s]+)/disk `, 'gm'),
  )) {
    if (existsSync(`/proc/${pid}`)) continue;
    spawnSync('umount', ['-l', join(folder, 'disk')]);
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function startChaosPostgres(): Promise<ChaosPostgres> {
  const bin = binaries();
  const root = process.getuid?.() === 0;
  const user = root
    ? { uid: Number(output('id', '-u', 'postgres')), gid: Number(output('id', '-g', 'postgres')) }
    : {};
  clearAfterKilled();
  const folder = mkdtempSync(join(tmpdir(), `${FOLDER}${process.pid}-`));
  chmodSync(folder, 0o755);
  const [data, disk] = [join(folder, 'data'), join(folder, 'disk')];
  for (const place of [data, disk]) mkdirSync(place, { mode: 0o700 });
  const mounted = spawnSync(
    'mount',
    ['-t', 'tmpfs', '-o', `size=${WAL_MB}m,mode=700`, 'tmpfs', disk],
    { encoding: 'utf8' },
  );
  const noSmallDisk =
    mounted.status === 0
      ? undefined
      : `no tmpfs can be mounted here (${(mounted.stderr ?? '').trim() || 'no mount'})`;
  if (user.uid !== undefined)
    for (const place of [data, disk]) chownSync(place, user.uid, user.gid);
  const wal = noSmallDisk === undefined ? ['-X', join(disk, 'wal')] : [];
  const init = ['-D', data, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--no-locale', ...wal];
  execFileSync(join(bin, 'initdb'), init, { ...user, cwd: data, stdio: 'pipe' });

  const port = await freePort();
  const urlAt = (at: number): string => `postgres://postgres@127.0.0.1:${at}/postgres`;
  let child: ChildProcess | undefined;
  const running = (): boolean =>
    child !== undefined && child.exitCode === null && child.signalCode === null;
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (running() && child?.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // it has ended
    }
  };
  const end = async (name: NodeJS.Signals): Promise<void> => {
    const dying = child;
    if (dying === undefined || !running()) return;
    const exited = new Promise((done) => dying.once('exit', done));
    signal(name);
    await exited;
  };
  const unmount = (): void => {
    if (noSmallDisk === undefined) spawnSync('umount', ['-l', disk]);
    rmSync(folder, { recursive: true, force: true });
  };
  atExit(() => (signal('SIGKILL'), unmount()));

  const start = async (): Promise<void> => {
    if (running()) return;
    const log = openSync(join(folder, 'postgres.log'), 'a');
    const settings = [
      'listen_addresses=127.0.0.1',
      'fsync=on',
      'max_connections=200',
      'max_wal_size=96MB',
      'min_wal_size=32MB',
    ];
    const args = [
      '-D',
      data,
      '-p',
      String(port),
      '-k',
      data,
      ...settings.flatMap((setting) => ['-c', setting]),
    ];
    child = spawn(join(bin, 'postgres'), args, {
      ...user,
      cwd: data,
      detached: true,
      stdio: ['ignore', log, log],
    });
    await until('PostgreSQL', () => !running() || answers(urlAt(port)), 60_000, 100);
    if (!running()) throw new Error('PostgreSQL ended at its start');
  };
  await start();
  const ballast = join(disk, 'ballast');
  return {
    port,
    url: urlAt(port),
    urlAt,
    kill9: () => end('SIGKILL'),
    signal,
    start,
    running,
    noSmallDisk,
    fillDisk: () => {
      try {
        for (let mb = 0; mb < 2 * WAL_MB; mb++)
          writeFileSync(ballast, Buffer.alloc(1024 * 1024), { flag: 'a' });
      } catch {
        // full, as it should be
      }
    },
    freeDisk: () => rmSync(ballast, { force: true }),
    stop: async () => {
      signal('SIGCONT');
      await end('SIGKILL');
      unmount();
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
