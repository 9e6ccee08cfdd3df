// A waiter for a run's status: it subscribes, then reads, then waits for the next change.

import type { Listener } from './subscriptions.ts';

export interface Watch {
  /**
   * Resolves at the next change after the last call, or at once if there was one in between; also
   * when `signal` aborts.
   */
  readonly changed: (signal?: AbortSignal) => Promise<void>;
  readonly close: () => void;
}

/** `listen` calls back at each change and returns what ends it. */
export function createWatch(listen: (listener: Listener) => () => void): Watch {
  let dirty = false;
  let wake: (() => void) | undefined;
  const close = listen((change) => {
    if (change !== 'STATUS') return;
    dirty = true;
    wake?.();
  });
  const changed: Watch['changed'] = (signal) =>
    new Promise((resolve) => {
      const done = (): void => {
        signal?.removeEventListener('abort', done);
        wake = undefined;
        dirty = false;
        resolve();
      };
      if (dirty || signal?.aborted === true) return done();
      wake = done;
      signal?.addEventListener('abort', done, { once: true });
    });
  return { changed, close };
}
