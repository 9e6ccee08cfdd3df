// Which pages may call the API from a browser: those of the origins that are set, and none by
// default. Comes before authentication: a browser asks first, without the token. No credentials of
// the browser's own are wanted: callers bring a bearer token.

import cors from '@koa/cors';
import type { ApiMiddleware } from './api-context.ts';

/** What callers send beside what browsers send anyway, and what they want to read of an answer. */
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'Last-Event-ID',
  'Mcp-Method',
  'Mcp-Name',
  'Mcp-Protocol-Version',
  'Prefer',
  'X-Request-Id',
];
const ANSWER_HEADERS = [
  ...[
    'Allow',
    'Content-Location',
    'Idempotency-Replayed',
    'Link',
    'Location',
    'Preference-Applied',
  ],
  ...['RateLimit', 'RateLimit-Policy', 'Retry-After', 'WWW-Authenticate', 'X-Request-Id'],
];
/** What Chromium keeps such an answer at most. */
const MAX_AGE_S = 7200;

export const crossOrigin = (origins: readonly string[]): ApiMiddleware =>
  cors({
    // "" makes it leave every header away.
    origin: (ctx) => origins.find((origin) => origin === ctx.get('Origin')) ?? '',
    allowMethods: ['GET', 'POST', 'DELETE'],
    allowHeaders: REQUEST_HEADERS,
    exposeHeaders: ANSWER_HEADERS,
    maxAge: MAX_AGE_S,
  });
