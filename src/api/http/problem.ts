// Every answer of 400 and above, from any layer, is one of these (RFC 9457). What was thrown
// is logged with the request's id; the caller is shown nothing of it but an AppError's own words.

import { AppError, PROBLEM_STATUS, type ProblemCode } from '../../contract/errors.ts';
import type { Problem } from '../../contract/problem.ts';
import { StoreUnavailableError } from '../../store/database/access.ts';
import type { ApiContext, ApiMiddleware, Log } from './api-context.ts';

const TITLE = {
  INVALID_REQUEST: 'Invalid request',
  MALFORMED_JSON: 'Malformed JSON',
  UNAUTHENTICATED: 'Authentication needed',
  INSUFFICIENT_SCOPE: 'Insufficient scope',
  FORBIDDEN: 'Forbidden',
  NOT_FOUND: 'Not found',
  METHOD_NOT_ALLOWED: 'Method not allowed',
  AGENT_INACTIVE: 'Agent inactive',
  SESSION_OF_OTHER_AGENT: 'Session of another agent',
  SESSION_PAUSED: 'Session paused',
  SESSION_HAS_OPEN_RUNS: 'Session has open runs',
  BASE_EXISTS: 'Base exists',
  TOO_MANY_MEMORIES: 'Too many memories',
  USER_HAS_OPEN_RUNS: 'User has open runs',
  NOT_FAILED: 'Run not failed',
  SESSION_WENT_ON: 'Session went on',
  NOT_PAUSED: 'Run not paused',
  ALREADY_DECIDED: 'Already decided',
  NOT_THIS_PAUSE: 'Not of the present pause',
  EVENTS_GONE: 'Events gone',
  HASH_MISMATCH: 'Arguments are not the ones approved',
  PAYLOAD_TOO_LARGE: 'Payload too large',
  UNSUPPORTED_MEDIA_TYPE: 'Unsupported media type',
  IDEMPOTENCY_KEY_REUSED: 'Idempotency key reused',
  CALL_ID_REQUIRED: 'Exact decision required',
  TOO_MANY_REQUESTS: 'Too many requests',
  TOO_MANY_OPEN_REQUESTS: 'Too many open requests',
  TOO_MANY_RUNS: 'Too many runs under way',
  TOO_MANY_PAUSED_RUNS: 'Too many paused runs',
  TOO_MANY_QUEUED_RUNS: 'Too many messages waiting',
  INTERNAL: 'Internal error',
  UNAVAILABLE: 'Unavailable',
} as const satisfies Record<ProblemCode, string>;

/** Codes where koa, the router and the body's reader give a status alone. */
const BY_STATUS: ReadonlyMap<number, readonly [ProblemCode, string]> = new Map([
  [401, ['UNAUTHENTICATED', 'This needs a bearer token in the Authorization header.']],
  [403, ['FORBIDDEN', 'This is not allowed.']],
  [404, ['NOT_FOUND', 'There is nothing at this address.']],
  [
    405,
    [
      'METHOD_NOT_ALLOWED',
      'This address does not take this method; the Allow header lists those it takes.',
    ],
  ],
  [413, ['PAYLOAD_TOO_LARGE', 'The body is too large.']],
  [
    415,
    ['UNSUPPORTED_MEDIA_TYPE', 'The body must be JSON in UTF-8 (Content-Type: application/json).'],
  ],
  [429, ['TOO_MANY_REQUESTS', 'Too many requests. Try again later.']],
]);

const DEFAULT_HEADERS: { readonly [code in ProblemCode]?: Readonly<Record<string, string>> } = {
  UNAUTHENTICATED: { 'WWW-Authenticate': 'Bearer' },
  TOO_MANY_REQUESTS: { 'Retry-After': '1' },
  UNAVAILABLE: { 'Retry-After': '1' },
  // The rest of the body is not read: the connection cannot be used again.
  PAYLOAD_TOO_LARGE: { Connection: 'close' },
};

/** The layer around all others. */
export const problemLayer =
  (log: Log): ApiMiddleware =>
  async (ctx, next) => {
    try {
      await next();
      // What a stream is written as is its route's own, a refusal of its protocol included.
      if (ctx.status >= 400 && ctx.respond !== false) answerProblem(ctx, byStatus(ctx.status));
    } catch (thrown) {
      const error = asAppError(thrown);
      if (PROBLEM_STATUS[error.code] >= 500)
        log.error(
          {
            requestId: ctx.state.requestId,
            method: ctx.method,
            code: error.code,
            err: error.extras.cause ?? error,
          },
          'a request failed',
        );
      answerProblem(ctx, error);
    }
  };

export function problemOf(error: AppError, requestId: string): Problem {
  const { errors, runId } = error.extras;
  return {
    type: `urn:holdpoint:problem:${error.code}`,
    title: TITLE[error.code],
    status: PROBLEM_STATUS[error.code],
    detail: error.detail,
    instance: `urn:request:${requestId}`,
    code: error.code,
    requestId,
    ...(runId === undefined ? {} : { runId }),
    ...(errors === undefined ? {} : { errors: [...errors] }),
  };
}

function answerProblem(ctx: ApiContext, error: AppError): void {
  ctx.status = PROBLEM_STATUS[error.code];
  ctx.set({ ...DEFAULT_HEADERS[error.code], ...error.extras.headers });
  ctx.body = problemOf(error, ctx.state.requestId);
  ctx.type = 'application/problem+json';
}

export function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof StoreUnavailableError)
    return new AppError(
      'UNAVAILABLE',
      thrown.slow
        ? 'This took the database too long. Ask for less at once, or try again.'
        : 'The database cannot be reached right now. Try again.',
      { cause: thrown },
    );
  const status = isHttpError(thrown) ? thrown.status : 500;
  return byStatus(status, thrown);
}

function byStatus(status: number, cause?: unknown): AppError {
  const [code, detail] =
    BY_STATUS.get(status) ??
    (status < 500 ? (['INVALID_REQUEST', 'The request cannot be understood.'] as const) : INTERNAL);
  return new AppError(code, detail, { cause });
}

const INTERNAL = [
  'INTERNAL',
  'Something went wrong on our side. Tell us the request id if it happens again.',
] as const;

/**
 * Those of http-errors, which koa, its router and raw-body throw; `expose` is theirs alone, a
 * driver's errors lack it.
 */
const isHttpError = (thrown: unknown): thrown is Error & { readonly status: number } =>
  thrown instanceof Error &&
  'expose' in thrown &&
  thrown.expose === true &&
  'status' in thrown &&
  typeof thrown.status === 'number';
