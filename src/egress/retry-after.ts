// How long a server asks to be left alone: `Retry-After` in seconds or as a date, at most a minute.
// Servers have sent an hour.

const MAX_MS = 60_000;

export function retryAfterMs(
  header: string | undefined,
  now: number = Date.now(),
): number | undefined {
  const text = header?.trim() ?? '';
  if (text === '') return undefined;
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.ceil(Math.min(Math.max(ms, 0), MAX_MS));
}
