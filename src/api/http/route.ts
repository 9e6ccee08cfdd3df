// A route is a column you can read: method, path, scope, what it is for, what it takes, what it
// answers, and the handler. The same declaration checks the request and describes the route in the
// OpenAPI document. A request is checked in the order that the contract demands: token, scope,
// query, body, then the handler, which knows nothing of koa.

import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { AppError, type ProblemCode } from '../../contract/errors.ts';
import type { ApiContext } from './api-context.ts';
import { requireScope, type Caller, type Scope } from '../auth/caller.ts';
import { readJsonBody, type BodyLimits } from './body.ts';
import { isForm, readUpload, type Upload, type UploadLimits } from './upload.ts';
import type { RequestHeader, ResponseHeader } from './headers.ts';
import type { Tag } from './tags.ts';
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
  /** undefined where a form came in its place. */
  readonly body: Body;
  /** A form with a file, where the route takes one and it came in place of JSON. */
  readonly upload?: Upload;
  /** "" where it was not sent. */
  readonly header: (name: string) => string;
  /** Each occurrence of a header by itself. */
  readonly headerValues: (name: string) => readonly string[];
  readonly requestId: string;
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
}

/** One way a route answers, by its status. */
export interface AnswerNote {
  readonly description: string;
  /** Left out: the body is empty. Of a stream: what each `data:` line holds. */
  readonly schema?: z.ZodType;
  /** Default: application/json. */
  readonly type?: 'application/json' | 'text/event-stream' | 'text/html';
  /** Beside X-Request-Id, which every answer has. */
  readonly headers?: readonly ResponseHeader[];
}

/** A route in the OpenAPI document. */
export interface RouteNotes {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** `token`: any valid token. `open`: no token is asked for. */
  readonly scope: Scope | 'token' | 'open';
  /** `operationId`: the name that generated clients call it by. */
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  readonly headers?: readonly RequestHeader[];
  readonly answers: Readonly<Record<number, AnswerNote>>;
  /** Beside those that follow from the token, the scope, the query and the body. */
  readonly refusals?: readonly ProblemCode[];
}

type QueryFields = Readonly<Record<string, unknown>>;

export interface RouteSpec<Query, Body> extends RouteNotes {
  readonly query?: z.ZodType<Query, QueryFields>;
  readonly body?: BodyLimits & {
    readonly schema: z.ZodType<Body>;
    /** A form with a file is taken too. */
    readonly upload?: UploadLimits;
  };
  readonly handle: (request: RouteRequest<Query, Body>) => Promise<Answer>;
}

export interface Route extends RouteNotes {
  readonly query: z.ZodType<unknown, QueryFields> | undefined;
  readonly body: z.ZodType | undefined;
  /** What a form may hold beside its file; undefined: none is taken. */
  readonly form: z.ZodType | undefined;
  readonly run: (ctx: ApiContext, params: Readonly<Record<string, string>>) => Promise<Answer>;
}

const NoQuery = z.strictObject({});

export function defineRoute<Query = unknown, Body = undefined>(
  spec: RouteSpec<Query, Body>,
): Route {
  const { query: querySchema, body: bodySpec, handle, ...notes } = spec;
  const { scope } = notes;
  return {
    ...notes,
    query: querySchema,
    body: bodySpec?.schema,
    form: bodySpec?.upload?.fields,
    run: async (ctx, params) => {
      const caller = scope === 'open' ? NO_CALLER : callerOf(ctx);
      if (scope !== 'token' && scope !== 'open') requireScope(caller, scope);
      const query = validate<Query>(
        querySchema ?? (NoQuery as unknown as z.ZodType<Query>),
        ctx.query,
        'query',
      );
      const upload =
        bodySpec?.upload !== undefined && isForm(ctx)
          ? await readUpload(ctx, bodySpec.upload)
          : undefined;
      const body =
        bodySpec === undefined || upload !== undefined
          ? (undefined as Body)
          : validate(bodySpec.schema, await readJsonBody(ctx, bodySpec), 'body');
      return handle({
        caller,
        param: (name) => params[name] ?? '',
        query,
        body,
        ...(upload === undefined ? {} : { upload }),
        header: (name) => ctx.get(name),
        headerValues: (name) => ctx.req.headersDistinct[name.toLowerCase()] ?? [],
        requestId: ctx.state.requestId,
        gone: goneSignal(ctx),
      });
    },
  };
}

/** What open routes are handed: it may do nothing. */
const NO_CALLER: Caller = {
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
