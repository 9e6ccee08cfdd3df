// What a client that gave a progress token hears while its call is waited for: that it goes on, and
// which run it is about, so that the run is found again if the client gives up.

import { performance } from 'node:perf_hooks';
import type { ProgressNotification } from '@modelcontextprotocol/server';

/** Often enough for a person who looks at it, and below any client's patience. */
const EVERY_MS = 2000;

export interface Progress {
  readonly isTold: boolean;
  readonly about: (runId: string) => void;
  readonly stop: () => void;
}

export function tellProgress(
  progressToken: string | number | undefined,
  notify: (notification: ProgressNotification) => Promise<void>,
): Progress {
  if (progressToken === undefined)
    return { isTold: false, about: () => undefined, stop: () => undefined };
  const begun = performance.now();
  let message = 'Waiting.';
  const tell = (): void => {
    // Rises with every notification, as the protocol demands: seconds of waiting, without a total.
    const progress = (performance.now() - begun) / 1000;
    const params = { progressToken, progress, message };
    // A client that is gone need not be told.
    notify({ method: 'notifications/progress', params }).catch(() => undefined);
  };
  const timer = setInterval(tell, EVERY_MS);
  return {
    isTold: true,
    about: (runId) => {
      message = `Run ${runId} goes on.`;
      tell();
    },
    stop: () => clearInterval(timer),
  };
}
