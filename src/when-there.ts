// A server that is not there yet when a process starts is waited for: said once, asked every
// second, until the process is told to stop.

const TRY_EVERY_MS = 1000;

export interface WaitOptions {
  /** As the log names it. */
  readonly server: string;
  /** Whether the error says that it is away; any other is thrown. */
  readonly isAway: (error: unknown) => boolean;
  readonly log: { warn: (o: object, m: string) => void };
  readonly stopping: AbortSignal;
}

/** undefined where the process was told to stop meanwhile. */
export async function whenThere<T>(
  open: () => Promise<T>,
  { server, isAway, log, stopping }: WaitOptions,
): Promise<T | undefined> {
  for (let said = false; !stopping.aborted; said = true) {
    try {
      return await open();
    } catch (error) {
      if (!isAway(error)) throw error;
      if (!said) log.warn({ err: error }, `the ${server} does not answer yet; trying every second`);
      await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
    }
  }
  return undefined;
}
