// What is left of a quota of requests in a minute that slides: this clock minute's, and the part of
// the one before that is still within sixty seconds. Pure; request-counts.ts keeps the numbers.

export const MINUTE_MS = 60_000;

export interface Counted {
  /** In this clock minute, and in the one before it. */
  readonly now: number;
  readonly before: number;
}

export interface Standing {
  /** Requests that are left; 0: the next one is refused. */
  readonly left: number;
  /** Seconds until there is more. */
  readonly moreInS: number;
}

/** `elapsedMs`: of this clock minute. */
export function standingOf(limit: number, { now, before }: Counted, elapsedMs: number): Standing {
  const within = now + before * (1 - elapsedMs / MINUTE_MS);
  const left = Math.max(0, Math.ceil(limit - within));
  if (left > 0) return { left, moreInS: inSeconds(MINUTE_MS - elapsedMs) };
  // What counts fades with the minute that it is in the past of.
  const waitMs =
    now < limit
      ? MINUTE_MS * (1 - (limit - now) / before) - elapsedMs
      : MINUTE_MS - elapsedMs + MINUTE_MS * (1 - limit / now);
  return { left, moreInS: inSeconds(waitMs + 1) };
}

const inSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));
