// A program in a network of its own: Linux namespaces in which no address of the machine exists, so
// that public addresses can be given to servers of the test. The program sets its network up by
// `settle` and is then driven by name, over node's own channel.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atExit } from './at-exit.ts';
import { skipBecause } from './skip.ts';
import { tempDir } from './temp-dir.ts';

type Command = (...args: never[]) => unknown;
export interface PrivateNetwork<Commands extends Record<string, Command>> {
  /** What the program's command of that name gives; arguments and value travel as JSON. */
  readonly call: <C extends keyof Commands & string>(
    name: C,
    ...args: Parameters<Commands[C]>
  ) => Promise<Awaited<ReturnType<Commands[C]>>>;
  readonly close: () => Promise<void>;
}

interface Asked {
  readonly id: number;
  readonly name: string;
  readonly args: readonly never[];
}
interface Told {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
// Who is not root may have namespaces as root of a user namespace, where the system allows that.
const NAMESPACES = ['--net', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
const KEPT = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'TERM', 'TZ'];

/** Why there can be none here; undefined: there can. */
function networkProblem(): string | undefined {
  if (process.platform !== 'linux') return 'namespaces are of Linux alone';
  const { error, status, stderr } = spawnSync(
    'unshare',
    [...NAMESPACES, 'ip', 'link', 'set', 'lo', 'up'],
    { encoding: 'utf8' },
  );
  if (error !== undefined) return 'there is no program unshare (util-linux)';
  return status === 0
    ? undefined
    : `no network namespace with an interface can be made (unshare, and ip of iproute2): ${stderr.trim()}`;
}

/**
 * Skips with the reason where there can be no namespace; where HOLDPOINT_REQUIRE_NETWORK is set,
 * that is a failure.
 */
export async function openNetwork<Commands extends Record<string, Command>>(
  context: Mocha.Context,
  program: URL,
): Promise<PrivateNetwork<Commands>> {
  const problem = networkProblem();
  if (problem !== undefined && process.env['HOLDPOINT_REQUIRE_NETWORK']) throw new Error(problem);
  if (problem !== undefined) skipBecause(context, problem);
  const env = Object.fromEntries(
    KEPT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const child = spawn(
    'unshare',
    [...NAMESPACES, process.execPath, '--import', 'tsx', fileURLToPath(program)],
    {
      ...{ cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    },
  );
  atExit(() => void child.kill('SIGKILL'));
  const waiting = new Map<number, (told: Told) => void>();
  const ended = new Promise<void>((done) =>
    child.once('exit', (code) => {
      for (const [id, tell] of waiting)
        tell({ id, error: `the program in the network ended with ${code}` });
      done();
    }),
  );
  child.on('message', (told: Told) => waiting.get(told.id)?.(told));
  let last = 0;
  const call = async (name: string, ...args: readonly unknown[]): Promise<never> => {
    const id = ++last;
    const told = await new Promise<Told>((resolve) => {
      waiting.set(id, resolve);
      child.send({ id, name, args });
    });
    waiting.delete(id);
    if (told.error !== undefined) throw new Error(told.error);
    return told.value as never;
  };
  return {
    call,
    close: async () => {
      child.disconnect();
      await ended;
    },
  };
}

/** For the program: these addresses are its machine's, and names are looked up at `nameServer`. */
export function settle(addresses: readonly string[], nameServer: string): void {
  const run = (command: string, ...args: readonly string[]): void => {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  };
  run('ip', 'link', 'set', 'lo', 'up');
  for (const address of addresses) run('ip', 'address', 'add', address, 'dev', 'lo');
  // In this mount namespace only. The second file: a resolver of the machine would be asked over a
  // socket file, past the namespace.
  const folder = tempDir();
  for (const [path, text] of [
    ['/etc/resolv.conf', `nameserver ${nameServer}\n`],
    ['/etc/nsswitch.conf', 'hosts: files dns\n'],
  ] as const) {
    if (!existsSync(path)) continue;
    const own = join(folder, path.slice('/etc/'.length));
    writeFileSync(own, text);
    run('mount', '--bind', own, path);
  }
}

/** For the program: answers calls until its caller is gone, then ends by `close`. */
export function serveCommands(commands: Record<string, Command>, close: () => Promise<void>): void {
  process.on('message', ({ id, name, args }: Asked) => {
    const work = async (): Promise<unknown> => commands[name]?.(...args);
    const tell = (told: Told): void => void process.send?.(told);
    work().then(
      (value) => tell({ id, value }),
      (error: unknown) =>
        tell({
          id,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }),
    );
  });
  process.once('disconnect', () => void close().finally(() => process.exit(0)));
}
