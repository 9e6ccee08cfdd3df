// Everything under /api, and /mcp, needs a token, whether the path exists or not: this runs before
// routing, parsing and validation.

import type { ApiMiddleware } from './api-context.ts';
import type { Authenticate } from '../auth/caller.ts';

// In any case: a router that matches leniently one day must not become a way around this.
const GUARDED = /^\/(?:api|mcp)(\/|$)/i;

export const authentication =
  (authenticate: Authenticate): ApiMiddleware =>
  async (ctx, next) => {
    if (GUARDED.test(ctx.path))
      ctx.state.caller = await authenticate(ctx.req.headersDistinct['authorization'] ?? []);
    await next();
  };
