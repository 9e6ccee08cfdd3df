// Readers who ask for the same in the same moment, as they do when they are woken by one change,
// share one read.

export type ShareReads<T> = (key: string, read: () => Promise<T>) => Promise<T>;

export function createShareReads<T>(): ShareReads<T> {
  const asked = new Map<string, Promise<T>>();
  return (key, read) => {
    const already = asked.get(key);
    if (already !== undefined) return already;
    const reading = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      // From here on it is too late to join: what a later one was woken for may not be seen by this
      // read.
      asked.delete(key);
      return read();
    });
    asked.set(key, reading);
    return reading;
  };
}
