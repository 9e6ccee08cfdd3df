// From what a provider or the network did wrong to the ModelError that says what to do about it.
// Judges by status and code; by words only where a provider gives no code. Must not import openai:
// its errors are read by their shape.

import { ModelError, type ModelUsage } from '../model.ts';

/**
 * Longer than this a run would rather fall back or fail than sleep: providers have sent an hour.
 */
const RETRY_AFTER_MAX_MS = 60_000;

const CONTEXT_CODES: ReadonlySet<string> = new Set([
  'context_length_exceeded', // OpenAI and most that copy it
  'exceed_context_size_error', // llama.cpp, as type
  'context_window_exceeded',
  'model_context_window_exceeded',
]);
/** vLLM, LiteLLM and TGI say it in words alone. */
const CONTEXT_WORDS = /context (length|window)|prompt is too long/i;
/**
 * llama.cpp answers a picture for a model without eyes with 500 and `server_error`, as if another
 * attempt could go better.
 */
const MEDIA_WORDS = /^(?:\d{3} )?(image|audio|video) input is not supported/;
const QUOTA = 'insufficient_quota';

/** `apiKey`: some servers quote it in their errors, and a code is shown. */
export function providerFault(error: unknown, usage: ModelUsage | null, apiKey = ''): ModelError {
  const shape = shapeOf(error, apiKey);
  // A mid-stream error has no status of its own; some servers put it into `code` (OpenRouter,
  // llama.cpp).
  const inStream = shape.status === undefined;
  const status = shape.status ?? shape.numericCode;
  const retryAfterMs = retryAfterOf(shape.headers);
  const said = shape.names.length === 0 ? '' : ` (${shape.names.join(', ')})`;

  if (isContext(shape, status)) {
    return new ModelError(
      'CONTEXT_TOO_LONG',
      'The conversation is longer than the model can take. Start a new session or send less.',
      {
        usage,
      },
    );
  }
  const medium = MEDIA_WORDS.exec(shape.message)?.[1];
  if (medium !== undefined)
    return new ModelError('REJECTED', `The model takes no ${medium} input.`, { usage });
  if (
    status === 429 ||
    shape.names.includes(QUOTA) ||
    (inStream && shape.names.includes('rate_limit_exceeded'))
  ) {
    if (shape.names.includes(QUOTA)) {
      return new ModelError(
        'RATE_LIMITED',
        `The model's provider refuses further calls: its quota is used up (${QUOTA}).`,
        {
          retryable: false,
          usage,
        },
      );
    }
    return new ModelError(
      'RATE_LIMITED',
      "The model's provider limits the rate of calls. Try again later.",
      { retryAfterMs, usage },
    );
  }
  if (status === undefined) {
    const network = networkCode(error);
    const why = network === undefined ? said : ` (${network})`;
    return new ModelError(
      'UNAVAILABLE',
      `The connection to the model failed or its answer could not be read${why}.`,
      { usage },
    );
  }
  if (inStream || status < 400 || status === 408 || status === 409 || status >= 500) {
    return new ModelError('UNAVAILABLE', `The model's provider failed with ${status}${said}.`, {
      retryAfterMs,
      usage,
    });
  }
  return new ModelError(
    'REJECTED',
    `The model's provider refused the request with ${status}${said}.`,
    { usage },
  );
}

interface FaultShape {
  readonly status: number | undefined;
  readonly numericCode: number | undefined;
  /** Code and type: words a provider's API defines, never its prose. */
  readonly names: readonly string[];
  readonly message: string;
  readonly headers: { get(name: string): string | null } | undefined;
}

function shapeOf(error: unknown, apiKey: string): FaultShape {
  const { status, code, type, message, headers } = (
    typeof error === 'object' && error !== null ? error : {}
  ) as Record<string, unknown>;
  const number =
    typeof code === 'number'
      ? code
      : typeof code === 'string' && /^\d{3}$/.test(code)
        ? Number(code)
        : undefined;
  const isName = (name: unknown): name is string =>
    typeof name === 'string' && /^[a-z][a-z0-9_-]{2,59}$/i.test(name);
  return {
    status: typeof status === 'number' ? status : undefined,
    numericCode: number !== undefined && number >= 400 && number <= 599 ? number : undefined,
    names: [code, type]
      .filter(isName)
      .filter((name, at, all) => all.indexOf(name) === at && !isOf(apiKey, name)),
    message: typeof message === 'string' ? message : '',
    headers: headers instanceof Headers ? headers : undefined,
  };
}

/** The key or a good part of it, or something that holds it. */
const isOf = (apiKey: string, name: string): boolean =>
  apiKey.length >= 8 && (name.includes(apiKey) || (name.length >= 8 && apiKey.includes(name)));

function isContext(shape: FaultShape, status: number | undefined): boolean {
  if (shape.names.some((name) => CONTEXT_CODES.has(name))) return true;
  const wordless = !shape.names.some(
    (name) => name.includes('_') && name !== 'invalid_request_error',
  );
  return (
    wordless &&
    (status === 400 || status === 413 || status === 422) &&
    CONTEXT_WORDS.test(shape.message)
  );
}

/** `retry-after-ms`, or `Retry-After` in seconds or as a date; at most a minute. */
function retryAfterOf(headers: FaultShape['headers']): number | undefined {
  const ms = headers?.get('retry-after-ms');
  if (ms != null && /^\d+(\.\d+)?$/.test(ms.trim())) return capped(Number(ms));
  const after = headers?.get('retry-after')?.trim();
  if (after === undefined || after === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(after)) return capped(Number(after) * 1000);
  const at = Date.parse(after);
  return Number.isNaN(at) ? undefined : capped(at - Date.now());
}

const capped = (ms: number): number => Math.ceil(Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS));

/** ECONNREFUSED and its like, from wherever in the chain of causes the network said it. */
function networkCode(error: unknown): string | undefined {
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth++, at = at.cause) {
    const { code } = at as { readonly code?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,39}$/.test(code)) return code;
  }
  return undefined;
}
