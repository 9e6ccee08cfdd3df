// One stream out of as many connections as it takes: each goes on after the last frame that came,
// so that nothing is lost or comes twice. Ends with STOP, CANCELLED or ERROR, when there is nothing
// more to see, or with what will not get better.

import { ApiProblem, isTemporary } from './problem.ts';
import { readEvents } from './sse.ts';
import type { components } from './schema.js';

/**
 * `id` is what to go on after. Where `event` is RETRY, what came after `data.keepThrough` is void.
 */
export type StreamFrame = components['schemas']['Frame'] & { readonly id: string };

export interface Follow {
  /**
   * Starts the run; repeatable, since it carries an Idempotency-Key. Left out where `runId` is
   * known.
   */
  readonly start?: (signal: AbortSignal) => Promise<Response>;
  readonly join: (
    runId: string,
    after: string | undefined,
    signal: AbortSignal,
  ) => Promise<Response>;
  readonly runId?: string | undefined;
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The server sends comments more often than this: a connection that is silent for longer is dead.
 */
const SILENT_MS = 60_000;
/** First pause before connecting again, and the longest. */
const PAUSE_MS = 100;
const PAUSE_MAX_MS = 5000;
/** Connections in a row that bring nothing. */
const TRIES = 20;

const ENDS: ReadonlySet<string> = new Set(['STOP', 'CANCELLED', 'ERROR']);

export async function* follow({
  start,
  join,
  signal,
  ...known
}: Follow): AsyncGenerator<StreamFrame> {
  let { runId, after } = known;
  for (let failures = 0; ;) {
    const connection = new AbortController();
    const leave = (): void => connection.abort(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
    if (signal?.aborted) leave();
    let timer = setTimeout(leave, SILENT_MS);
    const alive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(leave, SILENT_MS);
    };
    try {
      const response = await (runId === undefined && start
        ? start(connection.signal)
        : join(runId ?? '', after, connection.signal));
      if (response.status === 204 || response.body === null) return;
      for await (const { id, data } of readEvents(response.body, alive)) {
        const frame = { ...(JSON.parse(data) as components['schemas']['Frame']), id };
        failures = 0;
        after = id;
        if (frame.event === 'START') runId = frame.data.runId;
        yield frame;
        if (ENDS.has(frame.event)) return;
      }
    } catch (error) {
      if (
        signal?.aborted ||
        (error instanceof ApiProblem && !isTemporary(error)) ||
        failures >= TRIES
      )
        throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
      connection.abort();
    }
    if (++failures > TRIES)
      throw new Error('the stream ends again and again without bringing anything');
    await new Promise((resolve) =>
      setTimeout(resolve, Math.min(PAUSE_MS * 2 ** (failures - 1), PAUSE_MAX_MS)),
    );
  }
}
