// Every operation of the API by its path, typed by the document's generated types:
// `api.GET('/api/runs/{runId}', { params: { path: { runId } } })`.

import type { Answer, ApiRequest, Connection } from './connection.ts';
import type { paths } from './schema.js';

type Method = ApiRequest['method'];
type Operation<P extends keyof paths, M extends Method> = paths[P][Lowercase<M> & keyof paths[P]];
type PathsOf<M extends Method> = {
  [P in keyof paths]: Lowercase<M> extends keyof paths[P]
    ? Operation<P, M> extends { readonly responses: unknown }
      ? P
      : never
    : never;
}[keyof paths];

type ParamsOf<O> = O extends { readonly parameters: infer P } ? Omit<P, 'cookie'> : never;
type Params<O> =
  Record<never, never> extends ParamsOf<O>
    ? { readonly params?: ParamsOf<O> }
    : { readonly params: ParamsOf<O> };
type Body<O> = O extends {
  readonly requestBody: { readonly content: { readonly 'application/json': infer B } };
}
  ? { readonly body: B }
  : { readonly body?: never };
export type CallOf<O> = Params<O> & Body<O> & { readonly signal?: AbortSignal };

type Json<R> = R extends { readonly content: { readonly 'application/json': infer T } }
  ? T
  : undefined;
type AnswerOf<O> = O extends { readonly responses: infer R }
  ? { [S in keyof R]: S extends 200 | 201 | 202 | 204 ? Json<R[S]> : never }[keyof R]
  : never;
type Rest<O> = Record<never, never> extends CallOf<O> ? [call?: CallOf<O>] : [call: CallOf<O>];

type Ask<M extends Method> = <P extends PathsOf<M>>(
  path: P,
  ...rest: Rest<Operation<P, M>>
) => Promise<Answer<AnswerOf<Operation<P, M>>>>;

export interface Api {
  readonly GET: Ask<'GET'>;
  readonly POST: Ask<'POST'>;
  readonly DELETE: Ask<'DELETE'>;
}

interface AnyCall {
  readonly params?: {
    readonly path?: Readonly<Record<string, unknown>>;
    readonly query?: object;
    readonly header?: object;
  };
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export function createApi({ ask }: Connection): Api {
  const asks =
    (method: Method) =>
    (path: string, { params = {}, body, signal }: AnyCall = {}) =>
      ask<never>({
        method,
        path: path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
          encodeURIComponent(String(params.path?.[name])),
        ),
        query: params.query,
        headers: params.header,
        body,
        signal,
        waitMs: waitOf(params.query),
      });
  return { GET: asks('GET'), POST: asks('POST'), DELETE: asks('DELETE') };
}

/** `?wait=` is time that the server takes because it was asked to. */
const waitOf = (query: object | undefined): number =>
  query !== undefined && 'wait' in query && typeof query.wait === 'number' ? query.wait * 1000 : 0;
