// In the place of the store's look at what is due: the callback is called at intervals, whether or not
// there is anything.

export const atIntervals =
  (ms: number) =>
  (look: () => void): (() => void) => {
    const timer = setInterval(look, ms);
    return () => clearInterval(timer);
  };
