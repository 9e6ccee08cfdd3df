// What every answer carries, good or bad: its request id and the headers that keep a browser from
// doing anything with it.

import { randomUUID } from 'node:crypto';
import type { ApiMiddleware } from './api-context.ts';

/** Short, and of characters that are safe in a log line, a header and a URN. */
const SAFE_ID = /^[A-Za-z0-9._:-]{1,128}$/;

export const everyAnswer: ApiMiddleware = async (ctx, next) => {
  const given = ctx.get('X-Request-Id');
  ctx.state.requestId = SAFE_ID.test(given) ? given : randomUUID();
  ctx.set({
    'X-Request-Id': ctx.state.requestId,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Frame-Options': 'DENY',
    'Cache-Control': 'no-store',
  });
  await next();
};
