// A route is a column you can read: method, path, scope, schemas, handler. This file puts it on the
// router, in the order that the contract demands: token, scope, query, body, then the handler,
// which knows nothing of koa.

import type { ServerResponse } from 'node:http';
import Router from '@koa/router';
import type Koa from 'koa';
import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import type { ApiContext, ApiMiddleware, ApiState } from './api-context.ts';
import { requireScope, type Caller, type Scope } from '../auth/caller.ts';
import { readJsonBody, type BodyLimits } from './body.ts';
import { validate } from './validate.ts';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Instead of a body: writes the response itself, and ends it. */
  readonly stream?: (response: ServerResponse) => Promise<void>;
}

export interface RouteRequest<Query, Body> {
  readonly caller: Caller;
  readonly param: (name: string) => string;
  readonly query: Query;
  readonly body: Body;
  /** "" where it was not sent. */
  readonly header: (name: string) => string;
  /** Each occurrence of a header by itself. */
  readonly headerValues: (name: string) => readonly string[];
  readonly requestId: string;
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
}

export interface RouteSpec<Query, Body> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** `token`: any valid one will do. `open`: nobody is asked. */
  readonly scope: Scope | 'token' | 'open';
  readonly query?: z.ZodType<Query>;
  readonly body?: BodyLimits & { readonly schema: z.ZodType<Body> };
  readonly handle: (request: RouteRequest<Query, Body>) => Promise<Answer>;
}

export interface Route extends Pick<RouteSpec<unknown, unknown>, 'method' | 'path' | 'scope'> {
  /** What it takes, for the OpenAPI document: the schemas that validate. */
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly run: (ctx: ApiContext, params: Readonly<Record<string, string>>) => Promise<Answer>;
}

const NoQuery = z.strictObject({});

export function defineRoute<Query = unknown, Body = undefined>(
  spec: RouteSpec<Query, Body>,
): Route {
  const { method, path, scope } = spec;
  return {
    method,
    path,
    scope,
    ...(spec.query === undefined ? {} : { query: spec.query }),
    ...(spec.body === undefined ? {} : { body: spec.body.schema }),
    run: async (ctx, params) => {
      const caller = scope === 'open' ? NOBODY : callerOf(ctx);
      if (scope !== 'token' && scope !== 'open') requireScope(caller, scope);
      const query = validate<Query>(
        spec.query ?? (NoQuery as unknown as z.ZodType<Query>),
        ctx.query,
        'query',
      );
      const body =
        spec.body === undefined
          ? (undefined as Body)
          : validate(spec.body.schema, await readJsonBody(ctx, spec.body), 'body');
      return spec.handle({
        caller,
        param: (name) => params[name] ?? '',
        query,
        body,
        header: (name) => ctx.get(name),
        headerValues: (name) => ctx.req.headersDistinct[name.toLowerCase()] ?? [],
        requestId: ctx.state.requestId,
        gone: goneSignal(ctx),
      });
    },
  };
}

/** What open routes are handed: it may do nothing. */
const NOBODY: Caller = {
  subject: '',
  orgId: '',
  scopes: new Set(),
  roles: [],
  service: false,
  expiresAt: new Date(0),
};

function callerOf(ctx: ApiContext): Caller {
  // Authentication goes by path and has been here; should it ever not have, this is the second
  // lock.
  if (ctx.state.caller === undefined)
    throw new AppError('UNAUTHENTICATED', 'This needs a bearer token in the Authorization header.');
  return ctx.state.caller;
}

function goneSignal(ctx: ApiContext): AbortSignal {
  const gone = new AbortController();
  if (ctx.res.destroyed) gone.abort();
  else ctx.res.once('close', () => gone.abort());
  return gone.signal;
}

export function mountRoutes(app: Koa<ApiState>, routes: readonly Route[]): void {
  const router = new Router<ApiState>({ sensitive: true });
  for (const route of routes)
    router.register(route.path, [route.method], async (ctx) => {
      const answer = await route.run(ctx, ctx.params);
      ctx.status = answer.status;
      if (answer.headers !== undefined) ctx.set({ ...answer.headers });
      if (answer.stream !== undefined) return startStream(app, ctx, answer.stream);
      ctx.body = answer.body ?? null;
      // Setting an empty body makes koa say 204.
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
 * A known path and another method: 405 with Allow, for methods nobody has heard of too; OPTIONS
 * says Allow alone.
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
