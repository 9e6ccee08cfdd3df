// What a server's refusal says, whatever its shape: by status, in an event or in a body with 200.
// Reads; judges nothing.

import { MINIMAX_STATUS, statusOfNames } from './dialects.ts';
import { listOf, recordOf, type Fields } from './values.ts';

export interface Refusal {
  /** HTTP's, or what the body gives in its place. */
  readonly status: number | undefined;
  /** Code and type: words a provider's API defines, never its prose. */
  readonly names: readonly string[];
  /** The parameter that the provider names. */
  readonly param: string;
  /** Its prose, which is looked at and never shown. */
  readonly message: string;
  /** What Google says in the body where others send Retry-After. */
  readonly retryAfterMs: number | undefined;
}

/** Of a body or an event with a status of 200: undefined where it is no refusal. */
export function refusalIn(value: unknown): Refusal | undefined {
  const body = recordOf(Array.isArray(value) ? listOf(value)[0] : value);
  const { error, base_resp: minimax, errors, detail, object, type, message, choices } = body;
  const code = recordOf(minimax)['status_code'];
  if (isSentence(error) || (typeof code === 'number' && code !== 0))
    return refusalOf(undefined, value);
  if (object === 'error' || type === 'error') return refusalOf(undefined, value);
  if (choices !== undefined) return undefined;
  const wordless = message === undefined || typeof message === 'object';
  if (isSentence(detail) || listOf(errors).length > 0 || !wordless)
    return refusalOf(undefined, value);
  return undefined;
}

const isSentence = (error: unknown): boolean =>
  typeof error === 'string' ? error !== '' : typeof error === 'object' && error !== null;

/** `body`: parsed, or text where it was no JSON. */
export function refusalOf(httpStatus: number | undefined, body: unknown): Refusal {
  const outer = recordOf(Array.isArray(body) ? listOf(body)[0] : body);
  const error = innerOf(outer);
  const minimax = recordOf(outer['base_resp']);
  const names = [...namesOf(error), ...(error === outer ? [] : namesOf(outer))].filter(
    (name, at, all) => all.indexOf(name) === at,
  );
  const inside =
    statusIn(error) ??
    statusIn(outer) ??
    MINIMAX_STATUS[Number(minimax['status_code'] ?? 0)] ??
    statusOfNames(names);
  return {
    status: httpStatus ?? inside,
    names,
    param: paramOf(error),
    message: wordsOf(
      typeof body === 'string'
        ? body
        : (error['message'] ??
            minimax['status_msg'] ??
            outer['error'] ??
            outer['detail'] ??
            outer['message'] ??
            outer['errors']),
    ),
    retryAfterMs: retryIn(error),
  };
}

function innerOf(outer: Fields): Fields {
  const { error, errors } = outer;
  if (typeof error === 'object' && error !== null) return recordOf(error);
  const first = listOf(errors)[0];
  return first === undefined ? outer : recordOf(first);
}

/** A status in the place of a code (OpenRouter, llama.cpp, vLLM, Google, MiniMax). */
function statusIn(of: Fields): number | undefined {
  for (const given of [of['code'], of['status'], of['status_code'], of['http_code']]) {
    const number = typeof given === 'string' && /^\d{3}$/.test(given) ? Number(given) : given;
    if (typeof number === 'number' && number >= 400 && number <= 599) return number;
  }
  return undefined;
}

const namesOf = ({ code, type, status }: Fields): readonly string[] =>
  [code, type, status].filter(
    (name): name is string =>
      typeof name === 'string' && name !== 'error' && /^[a-z][a-z0-9_.-]{2,59}$/i.test(name),
  );

/** A path of the request: `tools[0].function.strict`. */
function paramOf({ param, loc }: Fields): string {
  const path = Array.isArray(loc) ? loc.join('.') : param;
  return typeof path === 'string' && /^[\w.$[\]'"/-]{1,120}$/.test(path) ? path : '';
}

/** Some have an object where others have a sentence (Mistral). */
const wordsOf = (value: unknown): string =>
  (typeof value === 'string' ? value : (JSON.stringify(value ?? '') ?? '')).slice(0, 10_000);

/** Google's RetryInfo: `"retryDelay": "37s"`. */
function retryIn({ details }: Fields): number | undefined {
  for (const each of listOf(details)) {
    const delay = recordOf(each)['retryDelay'];
    const seconds = typeof delay === 'string' ? /^(\d+(?:\.\d+)?)s$/.exec(delay)?.[1] : undefined;
    if (seconds !== undefined) return Number(seconds) * 1000;
  }
  return undefined;
}
