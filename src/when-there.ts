// A server that is not there yet when a process starts is waited for: logged once, asked every
// second, until the process is asked to stop.

import { setTimeout as sleep } from 'node:timers/promises';

const TRY_EVERY_MS = 1000;

export interface WaitOptions {
  /** As the log names it. */
  readonly server: string;
  /** Whether the error says that it is away; any other is thrown. */
  readonly isAway: (error: unknown) => boolean;
  readonly log: { warn: (o: object, m: string) => void };
  readonly stopping: AbortSignal;
}

/** Rejects with the signal's reason where the process is asked to stop meanwhile. */
export async function whenThere<T>(
  open: () => Promise<T>,
  { server, isAway, log, stopping }: WaitOptions,
): Promise<T> {
  for (let logged = false; ; logged = true) {
    stopping.throwIfAborted();
    try {
      return await open();
    } catch (error) {
      if (!isAway(error)) throw error;
      if (!logged)
        log.warn({ err: error }, `the ${server} does not answer yet; trying every second`);
      await sleep(TRY_EVERY_MS, undefined, { signal: stopping }).catch(() => undefined);
    }
  }
}
