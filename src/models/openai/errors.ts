// From what a provider or the network did wrong to the ModelError that says what to do about it.
// Judges by status and code; by words only where a provider gives no code.

import { ModelError, type ModelUsage } from '../model.ts';
import { MODELS_OWN_FAULT, saysQuota, saysTooLong } from './dialects.ts';
import type { Refusal } from './refusal.ts';

/**
 * Longer than this a run would rather fall back or fail than sleep: providers have sent an hour.
 */
const RETRY_AFTER_MAX_MS = 60_000;

/**
 * llama.cpp answers a picture for a model without eyes with 500 and `server_error`, as if another
 * attempt could go better.
 */
const MEDIA_WORDS = /^(?:\d{3} )?(image|audio|video) input is not supported/;

export interface Refused {
  readonly refusal: Refusal;
  readonly headers?: { get(name: string): string | null };
  /** After a part of the reply: what comes then is a break-off, but for what surely says more. */
  readonly inReply?: boolean;
  readonly usage: ModelUsage | null;
  /** Some servers quote it in their errors, and a code is shown. */
  readonly apiKey: string;
}

export function refusedFault({ refusal, headers, inReply, usage, apiKey }: Refused): ModelError {
  const names = refusal.names.filter((name) => !isOf(apiKey, name));
  const { status, message } = refusal;
  const param = isOf(apiKey, refusal.param) ? '' : refusal.param;
  const retryAfterMs = retryAfterOf(headers) ?? capped(refusal.retryAfterMs);
  const named = names.length === 0 ? '' : ` (${names.slice(0, 2).join(', ')})`;

  if (saysTooLong(status, names, message) || isBare(status, refusal))
    return new ModelError(
      'CONTEXT_TOO_LONG',
      'The conversation is longer than the model can take. Start a new session or send less.',
      { usage },
    );
  const medium = MEDIA_WORDS.exec(message)?.[1];
  if (medium !== undefined)
    return new ModelError('REJECTED', `The model takes no ${medium} input.`, { usage });
  if (saysQuota(status, names, message))
    return new ModelError(
      'QUOTA_EXHAUSTED',
      `The model's provider refuses further calls: its quota is used up${named}.`,
      { usage },
    );
  // Groq answers 413 where a rate of tokens is exceeded.
  if (status === 429 || (status !== undefined && status < 500 && names.some(isRate)))
    return new ModelError(
      'RATE_LIMITED',
      "The model's provider limits the rate of calls. Try again later.",
      { retryAfterMs, usage },
    );
  if (names.some((name) => MODELS_OWN_FAULT.has(name)))
    return new ModelError('INCOMPLETE', `The model wrote a tool call that is none${named}.`, {
      retryable: true,
      usage,
    });
  if (status === undefined || inReply === true)
    return new ModelError(
      'UNAVAILABLE',
      `The model's provider broke off with ${status === undefined ? 'an error' : String(status)}${named}.`,
      { retryAfterMs, usage },
    );
  if (status < 400 || status === 408 || status === 409 || status === 425 || status >= 500)
    return new ModelError('UNAVAILABLE', `The model's provider failed with ${status}${named}.`, {
      retryAfterMs,
      usage,
    });
  return new ModelError(
    'REJECTED',
    `The model's provider refused the request with ${status}${named}${param === '' ? '' : `: see the parameter ${param}`}.`,
    { usage },
  );
}

/** The network, or an answer that is none. */
export function networkFault(error: unknown, usage: ModelUsage | null): ModelError {
  const code = networkCode(error);
  const why = code === undefined ? '' : ` (${code})`;
  return new ModelError(
    'UNAVAILABLE',
    `The connection to the model failed or its answer could not be read${why}.`,
    { usage },
  );
}

/** A 413 comes from a limit of bodies, a gateway's most often, and means nothing more. */
const isBare = (status: number | undefined, { names, param }: Refusal): boolean =>
  status === 413 && param === '' && !names.some(isRate);

const isRate = (name: string): boolean => /rate_?limit/i.test(name);

/** The key or a good part of it, or something that holds it. */
const isOf = (apiKey: string, name: string): boolean =>
  apiKey.length >= 8 && (name.includes(apiKey) || (name.length >= 8 && apiKey.includes(name)));

/** `retry-after-ms`, or `Retry-After` in seconds or as a date; at most a minute. */
function retryAfterOf(headers: Refused['headers']): number | undefined {
  const ms = headers?.get('retry-after-ms');
  if (ms != null && /^\d+(\.\d+)?$/.test(ms.trim())) return capped(Number(ms));
  const after = headers?.get('retry-after')?.trim();
  if (after === undefined || after === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(after)) return capped(Number(after) * 1000);
  const at = Date.parse(after);
  return Number.isNaN(at) ? undefined : capped(at - Date.now());
}

function capped(ms: number): number;
function capped(ms: number | undefined): number | undefined;
function capped(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.ceil(Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS));
}

/** ECONNREFUSED and its like, from anywhere in the chain of causes. */
function networkCode(error: unknown): string | undefined {
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth++, at = at.cause) {
    const { code } = at as { readonly code?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,39}$/.test(code)) return code;
  }
  return undefined;
}
