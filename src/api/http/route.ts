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
  /** Told the run that was started or is waited for, as soon as it is known. */
  readonly onRun?: ((runId: string) => void) | undefined;
}

export interface ReceivedBody {
  readonly value?: unknown;
  /** A form that came in place of JSON. */
  readonly upload?: Upload;
}

/** A request in the words of no transport: what a route needs to check and handle it. */
export interface PlainRequest {
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  readonly query: QueryFields;
  /** Called after token, scope and query were found good. */
  readonly readBody: () => Promise<ReceivedBody>;
  readonly header: (name: string) => string;
  readonly headerValues: (name: string) => readonly string[];
  readonly requestId: string;
  readonly gone: AbortSignal;
  readonly onRun?: (runId: string) => void;
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
    /** Answers a body that is no JSON, where that is not said as a problem. */
    readonly onMalformed?: (problem: string) => Answer;
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
  /** The same for a request that came another way than to this path. */
  readonly perform: (request: PlainRequest) => Promise<Answer>;
}

const NoQuery = z.strictObject({});

export function defineRoute<Query = unknown, Body = undefined>(
  spec: RouteSpec<Query, Body>,
): Route {
  const { query, body, handle: _, ...notes } = spec;
  const perform: Route['perform'] = (request) => checkAndHandle(spec, request);
  return {
    ...notes,
    query,
    body: body?.schema,
    form: body?.upload?.fields,
    perform,
    run: async (ctx, params) => {
      try {
        return await perform(requestOf(ctx, params, spec));
      } catch (error) {
        const malformed = error instanceof AppError && error.code === 'MALFORMED_JSON';
        if (!malformed || body?.onMalformed === undefined) throw error;
        return body.onMalformed(error.detail);
      }
    },
  };
}

async function checkAndHandle<Query, Body>(
  { scope, query: querySchema, body: bodySpec, handle }: RouteSpec<Query, Body>,
  { params, query: fields, readBody, ...request }: PlainRequest,
): Promise<Answer> {
  if (scope !== 'token' && scope !== 'open') requireScope(request.caller, scope);
  const query = validate<Query>(
    querySchema ?? (NoQuery as unknown as z.ZodType<Query>),
    fields,
    'query',
  );
  const { value, upload } = bodySpec === undefined ? {} : await readBody();
  const body =
    bodySpec === undefined || upload !== undefined
      ? (undefined as Body)
      : validate(bodySpec.schema, value, 'body');
  return handle({
    ...request,
    param: (name) => params[name] ?? '',
    query,
    body,
    ...(upload === undefined ? {} : { upload }),
  });
}

const requestOf = <Query, Body>(
  ctx: ApiContext,
  params: PlainRequest['params'],
  { scope, body }: RouteSpec<Query, Body>,
): PlainRequest => ({
  caller: scope === 'open' ? NO_CALLER : callerOf(ctx),
  params,
  query: ctx.query,
  readBody: async () => {
    if (body === undefined) return {};
    if (body.upload !== undefined && isForm(ctx))
      return { upload: await readUpload(ctx, body.upload) };
    return { value: await readJsonBody(ctx, body) };
  },
  header: (name) => ctx.get(name),
  headerValues: (name) => ctx.req.headersDistinct[name.toLowerCase()] ?? [],
  requestId: ctx.state.requestId,
  gone: goneSignal(ctx),
});

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
