// One stream out of as many connections as it takes: each goes on after the last frame that came,
// so that nothing is lost or comes twice. Ends where there is nothing more to see, or with what will
// not get better.

import { backOffMs, createDeadline, pause } from './deadline.ts';
import { AbortError, ConnectionError } from './errors.ts';
import { ApiProblem, isTemporary, UnexpectedAnswerError } from './problem.ts';
import { readEvents, type ServerSentEvent } from './sse.ts';

export interface Follow<F> {
  /** Goes on after the frame of this id. May be called again: what starts a run carries a key. */
  readonly open: (after: string | undefined, signal: AbortSignal) => Promise<Response>;
  /**
   * `LAST`: nothing follows. `LAST_SO_FAR`: nothing follows unless the server sends it before it
   * closes the stream.
   */
  readonly placeOf: (frame: F) => 'MORE' | 'LAST' | 'LAST_SO_FAR';
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The server sends comments more often than this: a connection that is silent for longer is dead.
 */
const SILENT_MS = 60_000;
/**
 * A connection that lived for this long was a good one, though it brought no frame: a run that waits
 * for days outlives every proxy's patience. Shorter than the time between two comments.
 */
const LIVED_MS = 10_000;
/** First pause before connecting again, and the longest. */
const PAUSE_MS = 100;
const PAUSE_MAX_MS = 5000;
/** Connections in a row that bring nothing. */
const TRIES = 20;

export async function* follow<F>({
  open,
  placeOf,
  signal,
  ...begin
}: Follow<F>): AsyncGenerator<F & { readonly id: string }> {
  let { after } = begin;
  let place: ReturnType<typeof placeOf> = 'MORE';
  for (let failures = 0; ;) {
    const deadline = createDeadline(SILENT_MS, signal);
    const connection = new AbortController();
    deadline.signal.addEventListener('abort', () => connection.abort(deadline.signal.reason));
    if (deadline.signal.aborted) connection.abort(deadline.signal.reason);
    const openedAt = Date.now();
    let trouble: unknown;
    try {
      const response = await open(after, connection.signal);
      if (response.status === 204 || response.body === null) return;
      demandStream(response);
      for await (const { id, data } of readUntilCut(response.body, deadline.restart)) {
        const frame = { ...frameOf<F>(response, data), id };
        failures = 0;
        after = id;
        place = placeOf(frame);
        yield frame;
        if (place === 'LAST') return;
      }
      if (place === 'LAST_SO_FAR') return;
    } catch (error) {
      trouble = error;
      if (signal?.aborted) throw new AbortError(signal.reason);
      // Its own deadline is no wish of the caller: the connection was silent.
      if (!(error instanceof AbortError) && !isTemporary(error)) throw error;
    } finally {
      deadline.close();
      connection.abort();
    }
    failures = Date.now() - openedAt >= LIVED_MS ? 1 : failures + 1;
    if (failures > TRIES)
      throw trouble instanceof ApiProblem
        ? trouble
        : new ConnectionError('The stream ends again and again without bringing anything.', {
            cause: trouble,
          });
    const asked = trouble instanceof ApiProblem ? trouble.retryAfterMs : undefined;
    await pause(asked ?? backOffMs(failures, PAUSE_MS, PAUSE_MAX_MS), signal);
  }
}

/** The connection went while its body was read. */
async function* readUntilCut(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerSentEvent> {
  try {
    yield* readEvents(body, onBytes);
  } catch (error) {
    throw new ConnectionError('The connection failed in the middle of the stream.', {
      cause: error,
    });
  }
}

function frameOf<F>(response: Response, data: string): F {
  try {
    return JSON.parse(data) as F;
  } catch {
    throw new UnexpectedAnswerError(response, undefined, 'A frame of the stream is no JSON.');
  }
}

function demandStream(response: Response): void {
  const type = response.headers.get('Content-Type') ?? '';
  if (type.startsWith('text/event-stream')) return;
  throw new UnexpectedAnswerError(
    response,
    undefined,
    `The answer is no event stream but ${type || 'of no type'}: is this the API's address?`,
  );
}
