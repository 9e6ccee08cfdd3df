// One request and its answer, as it comes: the clocks of a call, the bytes, and where the reply
// ends. Makes a refusal of the server known as it is.

import type { Response } from 'undici';
import {
  ModelError,
  type ModelDelta,
  type ModelFault,
  type ModelReply,
  type ModelUsage,
} from '../model.ts';
import { createReplyCollector, type ReplyCollector } from './collector.ts';
import type { SendRequest } from './connection.ts';
import { networkFault } from './errors.ts';
import { createBodyReader } from './event-lines.ts';
import { refusalIn, refusalOf, type Refusal } from './refusal.ts';

export interface ModelTimeouts {
  /**
   * Connection, headers and the first byte: a queue at the provider or a cold start is over by
   * then, a dead host is not.
   */
  readonly firstByteMs: number;
  /**
   * Silence within an answer, where the request says none: a live server sends tokens or comments,
   * a dead connection sends nothing for ever.
   */
  readonly silenceMs: number;
  /**
   * After a finish reason: what follows still belongs to the reply, and some servers neither send
   * [DONE] nor close the connection.
   */
  readonly trailerMs: number;
}

export const TIMEOUTS: ModelTimeouts = {
  firstByteMs: 60_000,
  silenceMs: 60_000,
  trailerMs: 10_000,
};
/** A whole reply of 1 MiB may come as one event; with its JSON around it that is below 2 MiB. */
const EVENT_MAX_CHARS = 2 * 1024 * 1024;
/** Of a refusal: more than any sentence, less than a page. */
const REFUSAL_MAX_CHARS = 64 * 1024;

/** The server refused, in whatever form. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: Refusal;
  readonly headers: Response['headers'];
  readonly inReply: boolean;
  readonly usage: ModelUsage | null;
  constructor(
    refusal: Refusal,
    headers: Response['headers'],
    inReply: boolean,
    usage: ModelUsage | null,
  ) {
    super('the model server refused the request');
    this.refusal = refusal;
    this.headers = headers;
    this.inReply = inReply;
    this.usage = usage;
  }
}

export interface CallOptions {
  readonly send: SendRequest;
  readonly clock: ModelTimeouts;
  /** What the reply says of its model. */
  readonly model: string;
  readonly signal: AbortSignal;
  readonly onDelta: (delta: ModelDelta) => void;
}

/** @throws RefusedError, ModelError, or what `onDelta` threw */
export async function callOnce(body: unknown, options: CallOptions): Promise<ModelReply> {
  const { send, clock, signal, onDelta } = options;
  let callerError: { readonly error: unknown } | undefined;
  const collector = createReplyCollector((delta) => {
    try {
      onDelta(delta);
    } catch (error) {
      callerError = { error };
      throw error;
    }
  });
  const line = openLine(signal, clock, collector);
  try {
    const response = await send(JSON.stringify(body), line.signal);
    line.received(false);
    await readReply(response, collector, line);
    // A stopped stream may end as if it were complete: only our own note shows it.
    if (line.stopped() === undefined) return replyOf(collector, options.model);
  } catch (error) {
    if (callerError !== undefined) throw callerError.error;
    if (line.stopped() === undefined) {
      if (error instanceof ModelError || error instanceof RefusedError) throw error;
      // Complete already, or the connection broke in the middle of it.
      if (!line.hungUp() && !collector.begun()) throw networkFault(error, collector.usage());
      return replyOf(collector, options.model, !line.hungUp());
    }
  } finally {
    line.close();
  }
  const [fault, message] = line.stopped() ?? (['ABORTED', 'The model call was stopped.'] as const);
  throw new ModelError(fault, message, { usage: collector.usage() });
}

/** `broke`: the connection did not end, it failed. */
function replyOf(collector: ReplyCollector, model: string, broke = false): ModelReply {
  if (!collector.answered()) throw networkFault(undefined, collector.usage());
  if (broke && collector.wentOn())
    throw new ModelError('INCOMPLETE', "The model's answer broke off before its end.", {
      retryable: true,
      usage: collector.usage(),
    });
  return collector.reply(model);
}

type Line = ReturnType<typeof openLine>;

/** The clocks of one call, and the signal that ends it, ours or the caller's. */
function openLine(signal: AbortSignal, clock: ModelTimeouts, collector: ReplyCollector) {
  const call = new AbortController();
  let stopped: readonly [ModelFault, string] | undefined;
  let hungUp = false;
  let timer: NodeJS.Timeout | undefined;
  const stop = (fault: ModelFault, message: string): void => {
    stopped ??= [fault, message];
    call.abort();
  };
  const onAbort = (): void => stop('ABORTED', 'The model call was stopped.');
  signal.addEventListener('abort', onAbort, { once: true });
  const waitAtMost = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!collector.finished())
        return stop('UNAVAILABLE', `The model sent nothing for ${ms / 1000} s.`);
      hungUp = true;
      call.abort();
    }, ms);
  };
  waitAtMost(Math.min(clock.firstByteMs, clock.silenceMs));

  return {
    signal: call.signal,
    stop,
    stopped: () => stopped,
    /** Whether we ended it ourselves, behind a complete reply. */
    hungUp: () => hungUp,
    /** Before a finish reason anything is a sign of life, after it only more of the reply. */
    received(reply: boolean): void {
      if (!collector.finished()) waitAtMost(clock.silenceMs);
      else if (reply) waitAtMost(clock.trailerMs);
    },
    close(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      call.abort();
    },
  };
}

async function readReply(response: Response, collector: ReplyCollector, line: Line): Promise<void> {
  if (!response.ok) {
    const text = await textOfRefusal(response, line);
    throw new RefusedError(
      refusalOf(response.status, parsed(text) ?? text),
      response.headers,
      false,
      null,
    );
  }
  const take = (value: unknown): void => {
    const refusal = refusalIn(value);
    if (refusal !== undefined)
      throw new RefusedError(refusal, response.headers, collector.begun(), collector.usage());
    if (collector.take(value)) line.received(true);
  };
  let done = false;
  const body = createBodyReader({
    onData(data, last) {
      if (done || data.trim() === '') return;
      done = data.trim() === '[DONE]';
      if (done) return;
      const value = parsed(data);
      // Where the stream ended within it, the cut is what is reported.
      if (typeof value !== 'object' && last) return;
      if (typeof value !== 'object') throw networkFault(undefined, collector.usage());
      take(value);
    },
    onBody(text) {
      const value = parsed(text);
      if (value === undefined) throw networkFault(undefined, collector.usage());
      take(value);
    },
  });
  for await (const piece of pieces(response)) {
    if (line.stopped() !== undefined) return;
    line.received(false);
    body.take(piece);
    if (done) return;
    if (body.pending() > EVENT_MAX_CHARS)
      line.stop('OUTPUT_TOO_LARGE', "The model's server sent more than 2 MiB in one piece.");
  }
  body.end();
}

async function* pieces(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? [])
    yield decoder.decode(bytes as Uint8Array, { stream: true });
}

async function textOfRefusal(response: Response, line: Line): Promise<string> {
  let text = '';
  try {
    for await (const piece of pieces(response)) {
      line.received(false);
      text += piece;
      if (text.length > REFUSAL_MAX_CHARS) break;
    }
  } catch {
    // The status says it already.
  }
  return text;
}

/** undefined: no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
