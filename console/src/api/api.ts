// The public API with the signed-in person's token: the console has no other way to the server, and
// no power of its own.

import { AbortError, ConnectionError } from '../../../client/errors.ts';
import { ApiProblem, problemOf } from '../../../client/problem.ts';

export { ApiProblem };

export interface Api {
  readonly get: <T>(path: string, signal?: AbortSignal) => Promise<T>;
  readonly post: <T>(path: string, body: unknown, headers?: Record<string, string>) => Promise<T>;
  readonly remove: (path: string) => Promise<void>;
  /** The response itself, for what is read as a stream. */
  readonly open: (path: string, init: RequestInit) => Promise<Response>;
}

/** `onSignedOut` is told when the token is not taken any more. */
export function createApi(token: () => string | undefined, onSignedOut: () => void): Api {
  async function open(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${token() ?? ''}`);
    const response = await fetch(path, { ...init, headers, credentials: 'omit' }).catch(
      (cause: unknown) => {
        if (init.signal?.aborted) throw new AbortError(init.signal.reason);
        throw new ConnectionError('Holdpoint was not reached.', { cause });
      },
    );
    if (response.ok) return response;
    if (response.status === 401) onSignedOut();
    throw await problemOf(response);
  }
  return {
    open,
    get: async <T>(path: string, signal?: AbortSignal) =>
      (await (await open(path, signal ? { signal } : {})).json()) as T,
    post: async <T>(path: string, body: unknown, headers: Record<string, string> = {}) => {
      const response = await open(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      return (await response.json()) as T;
    },
    remove: async (path) => void (await open(path, { method: 'DELETE' })),
  };
}

/** A query string of what is given; '' where nothing is. */
export function query(fields: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  return given.length === 0 ? '' : `?${new URLSearchParams(given as [string, string][])}`;
}

/** An error as a sentence for the person in front of the page. */
export const sentenceOf = (error: unknown): string =>
  error instanceof ApiProblem
    ? error.message
    : 'Holdpoint cannot be reached right now. It is tried again by itself.';
