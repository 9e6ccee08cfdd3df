// A condition to wait for: set from outside, reset by the wait. Several settings count as one, and
// one that comes between two waits is not lost.

export interface WakeUp {
  readonly set: () => void;
  /** Resolves when it is set, at once if it was set since the last wait, or after the time. */
  readonly wait: (atMostMs?: number) => Promise<void>;
}

export function createWakeUp(): WakeUp {
  let isSet = false;
  let wake: (() => void) | undefined;
  return {
    set: () => {
      isSet = true;
      wake?.();
    },
    wait: (atMostMs) =>
      new Promise((resolve) => {
        const timer = atMostMs === undefined ? undefined : setTimeout(() => wake?.(), atMostMs);
        wake = () => {
          wake = undefined;
          isSet = false;
          clearTimeout(timer);
          resolve();
        };
        if (isSet && atMostMs === undefined) wake();
      }),
  };
}
