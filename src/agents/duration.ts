// A duration in an agent file: milliseconds, or a number with its unit. One form everywhere.

import { z } from 'zod';

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;
const WORDING = 'must be a duration: milliseconds, or such as 30s, 5m, 24h or 7d';
const FORM = /^(\d{1,9})(ms|s|m|h|d)$/;

/** Timers take no more milliseconds than this (24.8 days). */
const MAX_TIMEOUT_MS = 2_147_483_647;
const TEN_YEARS_MS = 3650 * UNIT_MS.d;

const duration = (maxMs: number, atMost: string) =>
  z
    .union([z.int(WORDING).min(1, WORDING), z.string().regex(FORM, WORDING)], { error: WORDING })
    .transform((given, ctx) => {
      const ms = typeof given === 'number' ? given : msOf(given);
      if (ms >= 1 && ms <= maxMs) return ms;
      ctx.addIssue({ code: 'custom', message: ms < 1 ? WORDING : `must be at most ${atMost}` });
      return z.NEVER;
    });

function msOf(text: string): number {
  const [, count, unit = 'ms'] = FORM.exec(text) ?? [];
  return Number(count) * UNIT_MS[unit as Unit];
}

/** Of something that is waited for with a timer. */
export const TimeoutMs = duration(MAX_TIMEOUT_MS, `${MAX_TIMEOUT_MS} ms, which is 24.8 days`);
/** Of something that is remembered in the database. */
export const PeriodMs = duration(TEN_YEARS_MS, '3650d');
