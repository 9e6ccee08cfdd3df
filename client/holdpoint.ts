// A typed client: every operation through `api`, and in one call each what takes several: asking and
// waiting, deciding and waiting, a stream that goes on after it was cut. For Node 20 and browsers.

import { createApi, type Api } from './api.ts';
import { createConnection, type HoldpointOptions } from './connection.ts';
import { pause } from './deadline.ts';
import { follow } from './follow.ts';
import { InvalidRequestError } from './problem.ts';
import type { components } from './schema.js';

export * from './errors.ts';
export * from './problem.ts';
export type { Api } from './api.ts';
export type { Answer, HoldpointOptions } from './connection.ts';
export type { components, operations, paths } from './schema.js';

type Schemas = components['schemas'];
export type Run = Schemas['RunResponse'];
export type StartBody = Schemas['StartBody'];
export type Vote = Schemas['ContinueBody'];
/** A call that waits for a vote of the caller, and whose run it is. */
export type WaitingCall = Schemas['WaitingCall'];
export type InboxPage = Schemas['WaitingPage'];
/**
 * `id` is what to go on after. Where `event` is RETRY, what came after `data.keepThrough` is void.
 */
export type StreamFrame = Schemas['Frame'] & { readonly id: string };
/** WAITING: it waits for the caller. DECIDED: not any more, whatever the cause. */
export type InboxFrame = Schemas['InboxFrame'] & { readonly id: string };

export interface WaitOptions {
  readonly signal?: AbortSignal;
}
export interface CallOptions extends WaitOptions {
  /**
   * Left out, one is made: a request that is repeated after a lost connection then starts or votes
   * once.
   */
  readonly idempotencyKey?: string;
}
export interface JoinOptions extends WaitOptions {
  /** The id of the last frame that was seen. */
  readonly after?: string;
}
export interface InboxOptions extends WaitOptions {
  readonly agentId?: string;
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly after?: string;
  /** Answered when the page changes, or after so many seconds. */
  readonly wait?: number;
}

export interface Holdpoint {
  readonly api: Api;
  /** Starts a run and waits until it settles: COMPLETED, PAUSED, FAILED or CANCELLED. */
  readonly run: (agentId: string, body: StartBody, options?: CallOptions) => Promise<Run>;
  /** Waits until a run settles, however long that takes. */
  readonly wait: (agentId: string, runId: string, options?: WaitOptions) => Promise<Run>;
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
  /** No call that was not yet dispatched starts any more. A run that has ended stays as it is. */
  readonly cancel: (agentId: string, runId: string, options?: WaitOptions) => Promise<void>;
  /** Takes a FAILED run up again, under its id, and waits until it settles. */
  readonly retry: (agentId: string, runId: string, options?: CallOptions) => Promise<Run>;
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
    options?: JoinOptions,
  ) => AsyncGenerator<StreamFrame>;
  /** What waits for a vote of the caller, oldest first, a page of it. */
  readonly inbox: (options?: InboxOptions) => Promise<InboxPage>;
  /**
   * The inbox as it changes: what waits, then what comes and goes. Without an end; after a
   * GoneError it is begun anew, without `after`.
   */
  readonly followInbox: (
    options?: JoinOptions & { readonly agentId?: string },
  ) => AsyncGenerator<InboxFrame>;
}

/** A wait is asked for in pieces that every proxy bears. */
const WAIT_S = 25;
/** A wait outlives a server that is started again: attempts in a row, some 80 s. */
const WAIT_TRIES = 20;
const PAUSE_MS = 250;

const STREAM = { Accept: 'text/event-stream' };
const isSettled = (run: Run): boolean => run.status !== 'QUEUED' && run.status !== 'RUNNING';
const pathOf = (agentId: string, tail: string): string =>
  `/api/agents/${encodeURIComponent(agentId)}/runs${tail}`;
const pathOfRun = (agentId: string, runId: string, tail = ''): string =>
  pathOf(agentId, `/${encodeURIComponent(runId)}${tail}`);

export function createHoldpoint(options: HoldpointOptions): Holdpoint {
  const connection = createConnection(options);

  const wait: Holdpoint['wait'] = async (agentId, runId, { signal } = {}) => {
    const path = pathOfRun(agentId, runId);
    for (let waitS = WAIT_S; ;) {
      try {
        const asked = { query: { wait: waitS }, waitMs: waitS * 1000, tries: WAIT_TRIES, signal };
        const { data } = await connection.ask<Run>({ method: 'GET', path, ...asked });
        if (isSettled(data)) return data;
        if (waitS === 0) await pause(PAUSE_MS, signal);
      } catch (error) {
        // This server's longest wait is shorter.
        if (
          !(error instanceof InvalidRequestError) ||
          waitS === 0 ||
          !error.problem?.errors?.some(({ path: field }) => field === 'wait')
        )
          throw error;
        waitS = Math.floor(waitS / 2);
      }
    }
  };
  const post = async (path: string, body: unknown, { signal, idempotencyKey }: CallOptions) => {
    const headers = { Prefer: `wait=${WAIT_S}`, ...keyOf(idempotencyKey) };
    const asked = { body, headers, waitMs: WAIT_S * 1000, signal };
    const { data } = await connection.ask<Run>({ method: 'POST', path, ...asked });
    return isSettled(data)
      ? data
      : wait(data.agentId, data.runId, signal === undefined ? {} : { signal });
  };

  /** `start` is repeated until a frame says which run it is: it carries a key. */
  const frames = (
    agentId: string,
    known: string | undefined,
    { signal, after }: JoinOptions,
    start?: { readonly body: StartBody; readonly headers: object },
  ) => {
    let runId = known;
    return follow<Schemas['Frame']>({
      after,
      signal,
      open: (last, cut) =>
        runId === undefined
          ? connection.open({
              ...{ method: 'POST', path: pathOf(agentId, '/stream'), signal: cut },
              ...{ body: start?.body, headers: { ...STREAM, ...start?.headers } },
            })
          : connection.open({
              ...{ method: 'GET', path: pathOfRun(agentId, runId, '/stream'), signal: cut },
              headers: { ...STREAM, 'Last-Event-ID': last },
            }),
      placeOf: (frame) => {
        if (frame.event === 'START') ({ runId } = frame.data);
        if (frame.event === 'STOP' || frame.event === 'CANCELLED') return 'LAST';
        // A run that was retried goes on behind its error.
        return frame.event === 'ERROR' ? 'LAST_SO_FAR' : 'MORE';
      },
    });
  };

  return {
    api: createApi(connection),
    wait,
    run: (agentId, body, call = {}) => post(pathOf(agentId, ''), body, call),
    decide: (agentId, runId, vote, call = {}) =>
      post(pathOfRun(agentId, runId, '/continue'), vote, call),
    retry: (agentId, runId, call = {}) =>
      post(pathOfRun(agentId, runId, '/retry'), undefined, call),
    cancel: async (agentId, runId, { signal } = {}) => {
      await connection.ask({ method: 'DELETE', path: pathOfRun(agentId, runId), signal });
    },
    stream: (agentId, body, { signal, idempotencyKey } = {}) =>
      frames(agentId, undefined, signal === undefined ? {} : { signal }, {
        body,
        headers: keyOf(idempotencyKey),
      }),
    join: (agentId, runId, call = {}) => frames(agentId, runId, call),
    inbox: async ({ signal, ...query } = {}) => {
      const asked = { query, signal, waitMs: (query.wait ?? 0) * 1000 };
      return (await connection.ask<InboxPage>({ method: 'GET', path: '/api/approvals', ...asked }))
        .data;
    },
    followInbox: ({ signal, after, agentId } = {}) =>
      follow<Schemas['InboxFrame']>({
        after,
        signal,
        placeOf: () => 'MORE',
        open: (last, cut) =>
          connection.open({
            ...{ method: 'GET', path: '/api/approvals/stream', signal: cut },
            ...{ query: { agentId }, headers: { ...STREAM, 'Last-Event-ID': last } },
          }),
      }),
  };
}

/** No `crypto.randomUUID`: a page that came by plain http has none. */
const keyOf = (given: string | undefined): { readonly 'Idempotency-Key': string } => ({
  'Idempotency-Key':
    given ??
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join(''),
});
