// The API as a koa app, its layers in order. Constructs nothing but itself: server.ts hands it what
// it needs.

import Koa from 'koa';
import { consoleLayer } from './console/console-layer.ts';
import type { AppDeps } from './deps.ts';
import type { ApiState } from './http/api-context.ts';
import { authentication } from './http/authentication.ts';
import { crossOrigin } from './http/cors.ts';
import { everyAnswer } from './http/every-answer.ts';
import { problemLayer } from './http/problem.ts';
import { requestSpans } from './http/request-spans.ts';
import { mountRoutes } from './http/mount-routes.ts';
import { openRequests, requestLimits } from './limits/request-limits.ts';
import type { Route } from './http/route.ts';
import { agentRoutes } from './agents/routes.ts';
import { inboxRoutes } from './approvals/inbox-routes.ts';
import { decisionRoutes } from './approvals/routes.ts';
import { referenceFiles } from './documentation/reference-page.ts';
import { documentationRoutes } from './documentation/routes.ts';
import { healthRoutes } from './health/routes.ts';
import { knowledgeRoutes } from './knowledge/routes.ts';
import { mcpRoutes } from './mcp/routes.ts';
import { memoryRoutes } from './memories/routes.ts';
import { runListRoutes } from './runs/list-routes.ts';
import { callRoutes } from './runs/call-routes.ts';
import { retryRoutes } from './runs/retry-routes.ts';
import { runRoutes } from './runs/routes.ts';
import { sessionRoutes } from './sessions/routes.ts';
import { startRoutes } from './runs/start-routes.ts';
import { withdrawRoutes } from './runs/withdraw-routes.ts';
import { streamRoutes } from './runs/stream-routes.ts';
import { userRoutes } from './users/routes.ts';
import { auditRoutes } from './audit/routes.ts';
import { usageRoutes } from './usage/routes.ts';
import { grantRoutes } from './grants/routes.ts';
import { policyRoutes } from './policies/routes.ts';
import { webhookRoutes } from './webhooks/routes.ts';

/** Every route there is, by what it is about. */
export function createRoutes(deps: AppDeps): readonly Route[] {
  const own = createApiRoutes(deps);
  const routes = [...own, ...mcpRoutes(deps, own)];
  return [...routes, ...documentationRoutes(routes)];
}

const createApiRoutes = (deps: AppDeps): readonly Route[] => [
  ...healthRoutes(deps),
  ...agentRoutes(deps),
  ...startRoutes(deps),
  // Before the single run: /api/runs/counts is no run's id.
  ...runListRoutes(deps),
  ...streamRoutes(deps),
  ...runRoutes(deps),
  ...retryRoutes(deps),
  ...withdrawRoutes(deps),
  ...callRoutes(deps),
  ...decisionRoutes(deps),
  ...inboxRoutes(deps),
  ...sessionRoutes(deps),
  ...knowledgeRoutes(deps),
  ...memoryRoutes(deps),
  ...userRoutes(deps),
  ...usageRoutes(deps),
  ...auditRoutes(deps),
  ...grantRoutes(deps),
  ...policyRoutes(deps),
  ...webhookRoutes(deps),
];

export function createApp(deps: AppDeps): Koa<ApiState> {
  const app = new Koa<ApiState>();
  app.use(everyAnswer);
  if (deps.tracing !== undefined) app.use(requestSpans(deps.tracing));
  if (deps.corsOrigins !== undefined && deps.corsOrigins.length > 0)
    app.use(crossOrigin(deps.corsOrigins));
  app.use(problemLayer(deps.log));
  app.use(authentication(deps.authenticate));
  if (deps.requestLimits !== undefined)
    app.use(requestLimits(deps.requestLimits)).use(openRequests(deps.requestLimits));
  if (deps.console !== undefined) app.use(consoleLayer(deps.console));
  app.use(referenceFiles());
  mountRoutes(app, createRoutes(deps));
  // What is thrown outside the layers: an answer that could not be written, mostly because its
  // client is gone.
  app.on('error', (err: unknown) => deps.log.warn({ err }, 'an answer could not be written'));
  return app;
}
