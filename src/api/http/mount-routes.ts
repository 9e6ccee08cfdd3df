// The routes on the router: an answer becomes koa's response, a known path with another method a
// 405 with Allow.

import Router from '@koa/router';
import type Koa from 'koa';
import type { ApiContext, ApiMiddleware, ApiState } from './api-context.ts';
import type { Answer, Route } from './route.ts';

export function mountRoutes(app: Koa<ApiState>, routes: readonly Route[]): void {
  const router = new Router<ApiState>({ sensitive: true });
  for (const route of routes)
    router.register(route.path, [route.method], async (ctx) => {
      const answer = await route.run(ctx, ctx.params);
      ctx.status = answer.status;
      if (answer.headers !== undefined) ctx.set({ ...answer.headers });
      if (answer.stream !== undefined) return startStream(app, ctx, answer.stream);
      ctx.body = answer.body ?? null;
      // Setting an empty body makes koa answer 204.
      ctx.status = answer.status;
    });
  app.use(router.routes());
  app.use(otherMethods(router));
}

/** From here on there is no status to answer with: what goes wrong ends the response. */
function startStream(
  app: Koa<ApiState>,
  ctx: ApiContext,
  write: NonNullable<Answer['stream']>,
): void {
  ctx.respond = false;
  if (ctx.method === 'HEAD') return void ctx.res.end();
  write(ctx.res).catch((error: unknown) => {
    app.emit('error', error, ctx);
    ctx.res.destroy();
  });
}

/**
 * A known path and another method: 405 with Allow, for unknown methods too; OPTIONS
 * has Allow alone.
 */
const otherMethods =
  (router: Router<ApiState>): ApiMiddleware =>
  async (ctx) => {
    const matching = router.match(ctx.path, ctx.method).path;
    // Of …/runs/background and …/runs/:runId, the one that is meant: its methods are not those of a
    // run.
    const fewest = Math.min(...matching.map((layer) => layer.paramNames.length));
    const methods = new Set(
      matching.flatMap((layer) => (layer.paramNames.length === fewest ? layer.methods : [])),
    );
    if (methods.size === 0) return;
    ctx.set('Allow', [...methods, 'OPTIONS'].join(', '));
    if (ctx.method === 'OPTIONS') ctx.status = 204;
    else if (!methods.has(ctx.method)) ctx.status = 405;
  };
