// A typed client: every operation through `api` (openapi-fetch over the generated types), and in
// one call each what takes several: asking and waiting, deciding and waiting, a stream that goes on
// after it was cut. For Node 20 and browsers.

import createClient, { type Client } from 'openapi-fetch';
import { follow, type StreamFrame } from './follow.ts';
import { ApiProblem, isTemporary, problemOf } from './problem.ts';
import type { components, paths } from './schema.js';

export type Run = components['schemas']['RunResponse'];
export type StartBody = components['schemas']['StartBody'];
export type Vote = components['schemas']['ContinueBody'];
export type { StreamFrame };
export { ApiProblem };

export interface HoldpointOptions {
  readonly baseUrl: string;
  /** Asked before each request, so that a token can be renewed. */
  readonly token: string | (() => string | Promise<string>);
  readonly fetch?: typeof fetch;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /**
   * Left out, one is made: a request that is repeated after a lost connection then starts or votes
   * once.
   */
  readonly idempotencyKey?: string;
}

export interface Holdpoint {
  readonly api: Client<paths>;
  /** Starts a run and waits until it settles: COMPLETED, PAUSED, FAILED or CANCELLED. */
  readonly run: (agentId: string, body: StartBody, options?: CallOptions) => Promise<Run>;
  /** Waits until a run settles, however long that takes. */
  readonly wait: (
    agentId: string,
    runId: string,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<Run>;
  /**
   * Votes, and waits for what comes next: the run as it settles again, or PAUSED while something is
   * still open.
   */
  readonly decide: (
    agentId: string,
    runId: string,
    vote: Vote,
    options?: CallOptions,
  ) => Promise<Run>;
  /** Starts a run and gives its frames to the end, over cut connections and pauses. */
  readonly stream: (
    agentId: string,
    body: StartBody,
    options?: CallOptions,
  ) => AsyncGenerator<StreamFrame>;
  /** The frames of any run, from its beginning or after the frame of an id. */
  readonly join: (
    agentId: string,
    runId: string,
    options?: { readonly signal?: AbortSignal; readonly after?: string },
  ) => AsyncGenerator<StreamFrame>;
}

/** A wait is asked for in pieces that every proxy bears. */
const WAIT_S = 25;
const TRIES = 5;
const PAUSE_MS = 250;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const isSettled = (run: Run): boolean => run.status !== 'QUEUED' && run.status !== 'RUNNING';

export function createHoldpoint(options: HoldpointOptions): Holdpoint {
  const send = options.fetch ?? fetch;
  const base = options.baseUrl.replace(/\/+$/, '');
  const authorization = async (): Promise<string> =>
    `Bearer ${typeof options.token === 'string' ? options.token : await options.token()}`;
  const api = createClient<paths>({ baseUrl: base, fetch: send });
  api.use({
    onRequest: async ({ request }) => {
      request.headers.set('Authorization', await authorization());
      return request;
    },
  });

  /** Repeats what may be repeated: what carries a key, and reads. */
  async function patiently<T>(
    signal: AbortSignal | undefined,
    ask: () => Promise<{ data?: T; response: Response; error?: unknown }>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { data, response, error } = await ask();
        if (data !== undefined) return data;
        throw new ApiProblem(response, error as components['schemas']['Problem'] | undefined);
      } catch (error) {
        if (attempt >= TRIES || signal?.aborted || !isTemporary(error)) throw error;
        const asked = error instanceof ApiProblem ? error.retryAfterMs : undefined;
        await pause(asked ?? PAUSE_MS * 2 ** attempt);
      }
    }
  }

  const wait: Holdpoint['wait'] = async (agentId, runId, { signal } = {}) => {
    for (let waitS = WAIT_S; ;) {
      try {
        const params = { path: { agentId, runId }, query: { wait: waitS } };
        const run = await patiently(signal, () =>
          api.GET('/api/agents/{agentId}/runs/{runId}', { params, ...given(signal) }),
        );
        if (isSettled(run)) return run;
        if (waitS === 0) await pause(PAUSE_MS);
      } catch (error) {
        // This server's longest wait is shorter.
        if (
          !(error instanceof ApiProblem) ||
          waitS === 0 ||
          !error.problem?.errors?.some(({ path }) => path === 'wait')
        )
          throw error;
        waitS = Math.floor(waitS / 2);
      }
    }
  };
  const settled = (run: Run, signal?: AbortSignal): Promise<Run> =>
    isSettled(run) ? Promise.resolve(run) : wait(run.agentId, run.runId, given(signal));
  const headersOf = (key: string | undefined) => ({
    Prefer: `wait=${WAIT_S}`,
    'Idempotency-Key': key ?? crypto.randomUUID(),
  });

  const open = async (
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal | undefined,
    headers: Record<string, string>,
    body?: unknown,
  ) => {
    const response = await send(`${base}${path}`, {
      method,
      headers: {
        Authorization: await authorization(),
        Accept: 'text/event-stream',
        ...headers,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...given(signal),
    });
    if (!response.ok) throw await problemOf(response);
    return response;
  };
  const pathOf = (agentId: string, tail: string): string =>
    `/api/agents/${encodeURIComponent(agentId)}/runs/${tail}`;
  const joining =
    (agentId: string) => (runId: string, after: string | undefined, signal: AbortSignal) =>
      open(
        'GET',
        pathOf(agentId, `${encodeURIComponent(runId)}/stream`),
        signal,
        after === undefined ? {} : { 'Last-Event-ID': after },
      );

  return {
    api,
    wait,
    run: async (agentId, body, { signal, idempotencyKey } = {}) => {
      const header = headersOf(idempotencyKey);
      const run = await patiently(signal, () =>
        api.POST('/api/agents/{agentId}/runs', {
          params: { path: { agentId }, header },
          body,
          ...given(signal),
        }),
      );
      return settled(run, signal);
    },
    decide: async (agentId, runId, vote, { signal, idempotencyKey } = {}) => {
      const params = { path: { agentId, runId }, header: headersOf(idempotencyKey) };
      const run = await patiently(signal, () =>
        api.POST('/api/agents/{agentId}/runs/{runId}/continue', {
          params,
          body: vote,
          ...given(signal),
        }),
      );
      return settled(run, signal);
    },
    stream: (agentId, body, { signal, idempotencyKey } = {}) => {
      const key = { 'Idempotency-Key': idempotencyKey ?? crypto.randomUUID() };
      return follow({
        start: (s) => open('POST', pathOf(agentId, 'stream'), s, key, body),
        join: joining(agentId),
        signal,
      });
    },
    join: (agentId, runId, { signal, after } = {}) =>
      follow({ runId, after, join: joining(agentId), signal }),
  };
}

const given = (signal: AbortSignal | undefined): { signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };
