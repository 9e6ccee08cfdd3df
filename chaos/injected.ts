// What came of a fault: whether it was really injected, and what was seen of it.

export type Injected =
  | { readonly injected: true; readonly observed: string; readonly healedAt: number }
  | { readonly injected: false; readonly why: string; readonly skipped: boolean };

/** A trap or an armed answer needs traffic that fits: so long is waited for it. */
export const TRAFFIC_MS = 25_000;

export const did = (observed: string): Injected => ({
  injected: true,
  observed,
  healedAt: Date.now(),
});
export const not = (why: string, skipped = false): Injected => ({ injected: false, why, skipped });
