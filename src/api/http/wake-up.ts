// Sleeps until it is rung; rings that come in between are not lost, and several are one.

export interface WakeUp {
  readonly ring: () => void;
  /** At the next ring, or at once if there was one since the last time. */
  readonly heard: (atMostMs?: number) => Promise<void>;
}

export function createWakeUp(): WakeUp {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    heard: (atMostMs) =>
      new Promise((resolve) => {
        const timer = atMostMs === undefined ? undefined : setTimeout(() => wake?.(), atMostMs);
        wake = () => {
          wake = undefined;
          rung = false;
          clearTimeout(timer);
          resolve();
        };
        if (rung && atMostMs === undefined) wake();
      }),
  };
}
