// The closed list of problem codes at the API's door, one error class that carries them, one table
// to HTTP.

export const PROBLEM_STATUS = {
  INVALID_REQUEST: 400,
  MALFORMED_JSON: 400,
  UNAUTHENTICATED: 401,
  INSUFFICIENT_SCOPE: 403,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  AGENT_INACTIVE: 409,
  SESSION_OF_OTHER_AGENT: 409,
  SESSION_PAUSED: 409,
  SESSION_HAS_OPEN_RUNS: 409,
  BASE_EXISTS: 409,
  TOO_MANY_MEMORIES: 409,
  USER_HAS_OPEN_RUNS: 409,
  NOT_FAILED: 409,
  SESSION_WENT_ON: 409,
  NOT_PAUSED: 409,
  ALREADY_DECIDED: 409,
  NOT_THIS_PAUSE: 409,
  EVENTS_GONE: 410,
  HASH_MISMATCH: 412,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  IDEMPOTENCY_KEY_REUSED: 422,
  CALL_ID_REQUIRED: 428,
  TOO_MANY_REQUESTS: 429,
  TOO_MANY_OPEN_REQUESTS: 429,
  TOO_MANY_RUNS: 429,
  TOO_MANY_PAUSED_RUNS: 429,
  TOO_MANY_QUEUED_RUNS: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const satisfies Record<string, number>;

export type ProblemCode = keyof typeof PROBLEM_STATUS;

const isProblemCode = (text: string): text is ProblemCode => text in PROBLEM_STATUS;
export const PROBLEM_CODES: readonly ProblemCode[] =
  Object.keys(PROBLEM_STATUS).filter(isProblemCode);

export interface FieldProblem {
  /** Dotted, from the body's root: `options.maxTokens`. */
  readonly path: string;
  readonly message: string;
}

export interface ProblemExtras {
  readonly errors?: readonly FieldProblem[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Only where the commit's reply was lost and could not be settled. */
  readonly runId?: string;
  readonly cause?: unknown;
}

/** A refusal: `detail` is shown to the caller, so it contains what to do and nothing internal. */
export class AppError extends Error {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly extras: ProblemExtras;
  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}) {
    super(detail, { cause: extras.cause });
    this.name = 'AppError';
    this.code = code;
    this.detail = detail;
    this.extras = extras;
  }
}

/** A field of the body that its schema lets through, and what is wrong with it: `path` `message`. */
export const fieldRefused = (path: string, message: string): AppError =>
  new AppError('INVALID_REQUEST', `The body has a problem: ${path} ${message}.`, {
    errors: [{ path, message }],
  });
