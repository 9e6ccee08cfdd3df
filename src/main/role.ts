// How a role runs when its file is what node was asked to run: settings or all their problems, one
// signal to stop by, an exit code.

import { pathToFileURL } from 'node:url';
import type { Config, ConfigResult } from '../config.ts';
import { keepFilesPrivate } from '../data-dir.ts';

/** The drain's own limits are below this; whatever is still there then is left to the others. */
const LAST_RESORT_MS = 24_000;

export async function runRole(
  moduleUrl: string,
  read: () => ConfigResult,
  main: (config: Config, stopping: AbortSignal) => Promise<void>,
): Promise<void> {
  const asked = process.argv[1];
  if (asked === undefined || pathToFileURL(asked).href !== moduleUrl) return;
  await runMain(read, main);
}

export async function runMain(
  read: () => ConfigResult,
  main: (config: Config, stopping: AbortSignal) => Promise<void>,
): Promise<void> {
  keepFilesPrivate();
  const result = read();
  if (!result.ok) {
    console.error(
      `The settings have ${result.problems.length === 1 ? 'a problem' : 'problems'}:\n${result.problems.map((p) => `  ${p}`).join('\n')}`,
    );
    process.exit(1);
  }
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) return;
    controller.abort();
    setTimeout(() => process.exit(1), LAST_RESORT_MS).unref();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
  try {
    await main(result.config, controller.signal);
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}
