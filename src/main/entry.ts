// What every process begins with: it listens for the stop signal before anything else is loaded,
// and turns how `main` ends into the exit code. Imports nothing, so that loading it takes no time.

/** The drain's own limits are below this; what is left then goes to other processes. */
const LAST_RESORT_MS = 24_000;

/** Thrown through a start that is stopped: the reason of the `stopping` signal. */
class StopRequested extends Error {}

export interface EntryModule {
  readonly main: (stopping: AbortSignal) => Promise<void>;
}

/** Exits with 0 when `main` returns or was stopped, with 1 when it throws anything else. */
export async function runEntry(load: () => Promise<EntryModule>): Promise<void> {
  const controller = new AbortController();
  let loaded = false;
  const stop = (): void => {
    if (controller.signal.aborted) return;
    // Nothing is open yet.
    if (!loaded) process.exit(0);
    controller.abort(new StopRequested('The process was asked to stop.'));
    setTimeout(() => process.exit(1), LAST_RESORT_MS).unref();
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    // bin/start.mjs listens until here.
    process.removeAllListeners(signal);
    process.on(signal, stop);
  }
  try {
    const { main } = await load();
    loaded = true;
    await main(controller.signal);
    process.exit(0);
  } catch (error) {
    if (error instanceof StopRequested) process.exit(0);
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}
