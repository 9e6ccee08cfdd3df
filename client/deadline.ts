// Signals and pauses. Written out, because AbortSignal.any keeps what it made for as long as a
// long-lived signal of the caller lives, in Node 20.

import { AbortError } from './errors.ts';

export interface Deadline {
  readonly signal: AbortSignal;
  /** From now on. */
  readonly restart: () => void;
  /** To be called at the end, whatever came of it. */
  readonly close: () => void;
}

/** Aborts after so long, or with the caller's signal. */
export function createDeadline(ms: number, signal: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const leave = (): void => controller.abort(signal?.reason);
  const late = (): void => controller.abort(new DOMException('No answer came.', 'TimeoutError'));
  let timer = setTimeout(late, ms);
  signal?.addEventListener('abort', leave, { once: true });
  if (signal?.aborted) leave();
  return {
    signal: controller.signal,
    restart: () => {
      clearTimeout(timer);
      timer = setTimeout(late, ms);
    },
    close: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    },
  };
}

/** Rejects when the signal aborts. */
export const pause = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      reject(new AbortError(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', leave);
      resolve();
    }, ms);
    signal?.addEventListener('abort', leave, { once: true });
    if (signal?.aborted) leave();
  });

/** Twice as long each time. */
export const backOffMs = (attempt: number, firstMs: number, longestMs: number): number =>
  Math.min(firstMs * 2 ** (attempt - 1), longestMs);
