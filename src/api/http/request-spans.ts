// Each request as a span, below the caller's where it sends `traceparent`. Its name is the route's: no
// id, no query. Launchers' questions whether the process is well are left out.

import type { Tracing } from '../../tracing/tracing.ts';
import type { ApiMiddleware } from './api-context.ts';

export const requestSpans =
  (tracing: Tracing): ApiMiddleware =>
  (ctx, next) => {
    if (ctx.path.startsWith('/health/')) return next();
    const { method } = ctx;
    const parent = ctx.get('traceparent');
    return tracing.inSpan(
      {
        name: method,
        kind: 'server',
        attributes: { 'http.request.method': method, 'holdpoint.request.id': ctx.state.requestId },
        ...(parent === '' ? {} : { parent }),
      },
      async (span) => {
        await next();
        const route = routeOf(ctx);
        if (route !== undefined) span.rename(`${method} ${route}`);
        span.set({ 'http.route': route, 'http.response.status_code': ctx.status });
        if (ctx.status >= 500) span.failed(String(ctx.status));
      },
    );
  };

/** Set by the router; not of what it does not know. */
function routeOf(ctx: object): string | undefined {
  const { _matchedRoute: route } = ctx as { readonly _matchedRoute?: unknown };
  return typeof route === 'string' ? route : undefined;
}
