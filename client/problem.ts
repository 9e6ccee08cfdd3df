// A refusal of the API as an error, one class for each kind: `code` is what a program looks at,
// `message` is what a person reads.

import { ConnectionError, HoldpointError } from './errors.ts';
import type { components } from './schema.js';

export type Problem = components['schemas']['Problem'];

/** Any answer that is not what was asked for. */
export class ApiProblem extends HoldpointError {
  override readonly name: string = 'ApiProblem';
  readonly status: number;
  /** undefined where the answer came from something between the client and the API. */
  readonly code: Problem['code'] | undefined;
  readonly problem: Problem | undefined;
  /** How long to leave the API alone, where it says so. */
  readonly retryAfterMs: number | undefined;
  /** What the server's log has this request under. */
  readonly requestId: string | undefined;
  constructor(response: Response, problem: Problem | undefined, message?: string) {
    super(message ?? problem?.detail ?? `The API answered ${response.status}.`);
    this.status = response.status;
    this.code = problem?.code;
    this.problem = problem;
    this.retryAfterMs = retryAfterOf(response);
    this.requestId = problem?.requestId ?? response.headers.get('X-Request-Id') ?? undefined;
  }
}

/** 400: what is wrong with which field stands in `problem.errors`. */
export class InvalidRequestError extends ApiProblem {
  override readonly name = 'InvalidRequestError';
}
/** 401: no token, or not one that is taken (any more). */
export class UnauthorizedError extends ApiProblem {
  override readonly name = 'UnauthorizedError';
}
/** 403: the token lacks a scope, or who holds it may not. */
export class ForbiddenError extends ApiProblem {
  override readonly name = 'ForbiddenError';
}
/** 404: there is none, or none that the token's holder may see. */
export class NotFoundError extends ApiProblem {
  override readonly name = 'NotFoundError';
}
/** 409: what is asked for does not fit the state; `code` says which. */
export class ConflictError extends ApiProblem {
  override readonly name = 'ConflictError';
}
/** 410: the events to go on after were deleted by retention. */
export class GoneError extends ApiProblem {
  override readonly name = 'GoneError';
}
/** 412: the call is not any more what was shown: look again before approving. */
export class HashMismatchError extends ApiProblem {
  override readonly name = 'HashMismatchError';
}
/** 413 */
export class TooLargeError extends ApiProblem {
  override readonly name = 'TooLargeError';
}
/** 422: the idempotency key was used for another request. */
export class KeyReusedError extends ApiProblem {
  override readonly name = 'KeyReusedError';
}
/** 428: this call is decided by its `callId`, with `argumentsHash` or `pauseId`. */
export class CallIdRequiredError extends ApiProblem {
  override readonly name = 'CallIdRequiredError';
}
/** 429: `retryAfterMs` says when to come again. */
export class RateLimitedError extends ApiProblem {
  override readonly name = 'RateLimitedError';
}
/** 502, 503, 504: not now. */
export class UnavailableError extends ApiProblem {
  override readonly name = 'UnavailableError';
}
/** Any other of 500 and above. */
export class ServerError extends ApiProblem {
  override readonly name = 'ServerError';
}
/** Not an answer of this API: a proxy's page, another server, or a refusal that it does not make. */
export class UnexpectedAnswerError extends ApiProblem {
  override readonly name = 'UnexpectedAnswerError';
}

type Kind = new (response: Response, problem: Problem | undefined) => ApiProblem;

const BY_STATUS: Readonly<Record<number, Kind>> = {
  400: InvalidRequestError,
  401: UnauthorizedError,
  403: ForbiddenError,
  404: NotFoundError,
  409: ConflictError,
  410: GoneError,
  412: HashMismatchError,
  413: TooLargeError,
  422: KeyReusedError,
  428: CallIdRequiredError,
};

/**
 * Without a problem in its body a refusal is not the API's: a proxy's 404 says nothing about a run.
 * Of too much and not now anybody's word is taken.
 */
function kindOf(status: number, problem: Problem | undefined): Kind {
  if (status === 429) return RateLimitedError;
  if (status === 502 || status === 503 || status === 504) return UnavailableError;
  if (status >= 500) return ServerError;
  return (problem && BY_STATUS[status]) ?? UnexpectedAnswerError;
}

/** May the same request succeed later? */
export const isTemporary = (error: unknown): boolean =>
  error instanceof ConnectionError ||
  (error instanceof ApiProblem && (error.status >= 500 || error.status === 429));

export async function problemOf(response: Response): Promise<ApiProblem> {
  const body: unknown = await response.json().catch(() => undefined);
  const isOne = typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
  const problem = isOne ? (body as Problem) : undefined;
  return new (kindOf(response.status, problem))(response, problem);
}

/** Seconds, or a date, which proxies send. */
function retryAfterOf({ headers }: Response): number | undefined {
  const text = headers.get('Retry-After') ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
