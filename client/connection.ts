// Requests and answers: the token, what may be repeated is repeated, and whatever goes wrong is an
// error of this package.

import { backOffMs, createDeadline, pause } from './deadline.ts';
import { AbortError, ConnectionError } from './errors.ts';
import { ApiProblem, isTemporary, problemOf, UnexpectedAnswerError } from './problem.ts';

export interface HoldpointOptions {
  /** Where the API is, without `/api`; in a page of the same origin `''`. */
  readonly baseUrl: string;
  /** A function is asked before each request, so that a token can be renewed. */
  readonly token: string | (() => string | Promise<string>);
  readonly fetch?: typeof fetch;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: object | undefined;
  readonly headers?: object | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** How long the server may take of its own accord. */
  readonly waitMs?: number;
  /** Attempts in all. */
  readonly tries?: number;
}

export interface Answer<T> {
  readonly data: T;
  readonly response: Response;
}

export interface Connection {
  /** One request, and the answer as it comes. Throws what is refused. */
  readonly open: (request: ApiRequest) => Promise<Response>;
  /** The JSON of the answer; repeats what may be repeated: what carries a key, and all but POST. */
  readonly ask: <T>(request: ApiRequest) => Promise<Answer<T>>;
}

/** An answer of the server's own takes seconds at most. */
const ANSWER_MS = 30_000;
const TRIES = 5;
const PAUSE_MS = 250;
const PAUSE_MAX_MS = 5000;
/** Told to stay away for longer than this, the caller is told so instead. */
const RETRY_AFTER_MAX_MS = 60_000;

export function createConnection(options: HoldpointOptions): Connection {
  // Looked up at each call: a page's fetch is called with no other `this` than its own.
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const base = options.baseUrl.replace(/\/+$/, '');

  async function open({ method, path, query, headers, body, signal }: ApiRequest) {
    const token = typeof options.token === 'string' ? options.token : await options.token();
    const given = new Headers({ Accept: 'application/json', Authorization: `Bearer ${token}` });
    for (const [name, value] of entriesOf(headers)) given.set(name, value);
    if (body !== undefined) given.set('Content-Type', 'application/json');
    const response = await heard(signal, () =>
      send(`${base}${path}${queryOf(query)}`, {
        method,
        headers: given,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      }),
    );
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  async function once<T>(request: ApiRequest): Promise<Answer<T>> {
    const deadline = createDeadline(ANSWER_MS + (request.waitMs ?? 0), request.signal);
    try {
      const response = await open({ ...request, signal: deadline.signal });
      const text = await heard(deadline.signal, () => response.text());
      return { data: read<T>(response, text), response };
    } catch (error) {
      if (request.signal?.aborted) throw new AbortError(request.signal.reason);
      // The deadline's end is no wish of the caller.
      if (error instanceof AbortError)
        throw new ConnectionError('No answer came in time.', { cause: error.cause });
      throw error;
    } finally {
      deadline.close();
    }
  }

  async function ask<T>(request: ApiRequest): Promise<Answer<T>> {
    const keyed = entriesOf(request.headers).some(([name]) => /^idempotency-key$/i.test(name));
    const tries = request.method !== 'POST' || keyed ? (request.tries ?? TRIES) : 1;
    for (let attempt = 1; ; attempt++) {
      try {
        return await once<T>(request);
      } catch (error) {
        const asked = error instanceof ApiProblem ? error.retryAfterMs : undefined;
        if (attempt >= tries || !isTemporary(error) || (asked ?? 0) > RETRY_AFTER_MAX_MS)
          throw error;
        await pause(asked ?? backOffMs(attempt, PAUSE_MS, PAUSE_MAX_MS), request.signal);
      }
    }
  }
  return { open, ask };
}

/** What `fetch` and the reading of a body throw, as errors of this package. */
async function heard<T>(signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (signal?.aborted) throw new AbortError(signal.reason);
    throw new ConnectionError('The connection failed before the answer was whole.', {
      cause: error,
    });
  }
}

function read<T>(response: Response, text: string): T {
  // The callers name the types of the API's document; that an answer has them is the API's promise.
  if (response.status === 204) return undefined as T;
  const type = response.headers.get('Content-Type') ?? '';
  try {
    if (/\bjson\b/.test(type)) return JSON.parse(text) as T;
  } catch {
    // told below
  }
  throw new UnexpectedAnswerError(
    response,
    undefined,
    `The answer is no JSON but ${type || 'of no type'}: is this the API's address?`,
  );
}

const entriesOf = (fields: object | undefined): readonly [string, string][] =>
  Object.entries(fields ?? {}).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );

function queryOf(query: object | undefined): string {
  const entries = entriesOf(query);
  return entries.length === 0 ? '' : `?${new URLSearchParams([...entries])}`;
}
