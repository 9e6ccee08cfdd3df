// The workflow code as the worker loads it, kept from one start to the next. Making it takes seconds
// of CPU; what is kept is used only while every file it was made of has the same content, every file
// that was looked for and missing is still missing, and the installed packages are the same.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type BundleOptions, type WorkflowBundle } from '@temporalio/worker';
import { z } from 'zod';
import type { Logger } from '../logger.ts';
import { createSdkLogger } from '../temporal/sdk-log.ts';

const WORKFLOWS = fileURLToPath(
  new URL(`../workflows/index${extname(import.meta.url)}`, import.meta.url),
);
const TRACE_HEADER = fileURLToPath(
  new URL(`../workflows/trace-header${extname(import.meta.url)}`, import.meta.url),
);
const PACKAGES = fileURLToPath(new URL('../../node_modules/', import.meta.url));

const KeptSchema = z.strictObject({
  /** Of everything that is no file of the bundle. */
  madeBy: z.string(),
  files: z.array(z.tuple([z.string(), z.string()])),
  missing: z.array(z.string()),
  code: z.string(),
  /** A file that was torn by a full disk is not taken. */
  codeDigest: z.string(),
});
type Kept = z.infer<typeof KeptSchema>;

export interface BundlePlace {
  /** The module that exports the workflows. */
  readonly workflowsPath: string;
  /** The folder of the installed packages; what is kept lies below it, and leaves with them. */
  readonly packages: string;
}

/** About a second of CPU where it has to be made, a few hundredths where it is kept. */
export async function bundleWorkflows(
  log: Logger,
  place: BundlePlace = { workflowsPath: WORKFLOWS, packages: PACKAGES },
): Promise<WorkflowBundle> {
  const madeBy = makerOf(place);
  const file = fileOf(place);
  const kept = madeBy === undefined ? undefined : readKept(file, madeBy);
  if (kept !== undefined) return { code: kept.code };
  // The compiler's own settings, which the bundler does not look for.
  const looked: Looked = { paths: new Set([join(place.packages, '..', '.swcrc')]) };
  const { code } = await bundleWorkflowCode({
    workflowsPath: place.workflowsPath,
    workflowInterceptorModules: [TRACE_HEADER],
    logger: createSdkLogger(log),
    webpackConfigHook: recordTo(looked),
  });
  if (madeBy !== undefined) keep(file, madeBy, looked.paths, code);
  return { code };
}

/** Where the bundler read or looked for a file. */
interface Looked {
  readonly paths: Set<string>;
}

const recordTo =
  (looked: Looked): NonNullable<BundleOptions['webpackConfigHook']> =>
  (config) => ({
    ...config,
    plugins: [
      ...(config.plugins ?? []),
      {
        apply: (compiler) =>
          compiler.hooks.done.tap('holdpoint', ({ compilation }) => {
            for (const path of compilation.fileDependencies) looked.paths.add(path);
            for (const path of compilation.missingDependencies) looked.paths.add(path);
          }),
      },
    ],
  });

const digestOf = (content: string | Buffer): string =>
  createHash('sha256').update(content).digest('hex');

/** undefined where it is unknown which packages there are: then nothing is kept. */
function makerOf({ workflowsPath, packages }: BundlePlace): string | undefined {
  try {
    const installed = readFileSync(join(packages, '.package-lock.json'));
    const here = readFileSync(fileURLToPath(import.meta.url));
    const { version, arch, platform } = process;
    return [workflowsPath, version, platform, arch, digestOf(installed), digestOf(here)].join(' ');
  } catch {
    return undefined;
  }
}

/** One a source tree: several may share the packages. */
const fileOf = ({ workflowsPath, packages }: BundlePlace): string =>
  join(packages, '.cache', 'holdpoint', `workflows-${digestOf(workflowsPath).slice(0, 16)}.json`);

/** undefined: a folder, or a file that only the bundler has. */
function digestOfFile(path: string): string | undefined {
  try {
    return digestOf(readFileSync(path));
  } catch {
    return undefined;
  }
}

function readKept(file: string, madeBy: string): Kept | undefined {
  try {
    const kept = KeptSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    const good =
      kept.madeBy === madeBy &&
      kept.codeDigest === digestOf(kept.code) &&
      kept.missing.every((path) => !existsSync(path)) &&
      kept.files.every(([path, digest]) => digestOfFile(path) === digest);
    return good ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** Not where the tree is read-only, as in an image: then each start makes its own. */
function keep(file: string, madeBy: string, paths: ReadonlySet<string>, code: string): void {
  const files = [...paths].flatMap((path) => {
    const digest = digestOfFile(path);
    return digest === undefined ? [] : [[path, digest] as [string, string]];
  });
  const missing = [...paths].filter((path) => !existsSync(path));
  const kept: Kept = { madeBy, files, missing, code, codeDigest: digestOf(code) };
  const own = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    // Whole or not at all: another process may read it now.
    writeFileSync(own, JSON.stringify(kept));
    renameSync(own, file);
  } catch {
    // The next start makes it again.
  }
}
