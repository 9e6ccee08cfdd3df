// What every answer carries, good or bad: its request id and the headers that keep a browser from
// doing anything with it.

import { randomUUID } from 'node:crypto';
import type { ApiContext, ApiMiddleware } from './api-context.ts';

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
  endWithNewline(ctx);
};

/** A JSON answer in a terminal does not run into the prompt behind it. */
function endWithNewline(ctx: ApiContext): void {
  const body: unknown = ctx.body;
  const isJson = typeof body === 'object' && body !== null && ctx.response.is('json', '+json');
  if (isJson) ctx.body = `${JSON.stringify(body)}\n`;
}
