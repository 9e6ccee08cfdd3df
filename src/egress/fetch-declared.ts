// A call to an address that an agent file declares, as it is and without redirects. Owns the
// difference between "nothing was sent" and "sent, and the outcome is not known": a fresh connection for each
// call, opened before the last check and the first byte. (A kept-alive one may be closed by the
// peer while we write, which looks like both.) Imports nothing of the project but this folder.

import { request, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { bodyText } from './body-text.ts';
import { brokenReason } from './break-reason.ts';
import { HEADERS_MAX_BYTES, openDeclared, requestHeaders } from './open-declared.ts';

export interface DeclaredCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For all of it, connecting included. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Reading stops there; what was read is the answer. */
  readonly maxBytes: number;
  /**
   * Awaited between the connection and the first byte. What it throws is thrown on, with nothing
   * sent.
   */
  readonly beforeWrite?: () => Promise<void>;
}
/** `why`: a few words without address, header or secret. */
export type DeclaredAnswer =
  | {
      readonly kind: 'ANSWER';
      readonly status: number;
      readonly text: string;
      readonly truncated: boolean;
      readonly contentType: string | undefined;
      /** The header, as it came. */
      readonly retryAfter: string | undefined;
    }
  | { readonly kind: 'NOT_SENT'; readonly why: string }
  | { readonly kind: 'UNANSWERED'; readonly why: string };

export async function callDeclared(call: DeclaredCall): Promise<DeclaredAnswer> {
  const url = URL.canParse(call.url) ? new URL(call.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return { kind: 'NOT_SENT', why: 'the address is not a valid http or https one' };
  const headers = requestHeaders(url, call.headers, call.body);
  if (headers === undefined) return { kind: 'NOT_SENT', why: 'a header is not valid' };

  const deadline = AbortSignal.timeout(call.timeoutMs);
  const stop = AbortSignal.any([call.signal, deadline]);
  const stopReason = (): string =>
    call.signal.aborted ? 'it was cancelled' : `no answer within ${call.timeoutMs} ms`;
  const opened = await openDeclared(url, stop, stopReason);
  if ('kind' in opened) return opened;
  const { socket } = opened;
  try {
    await call.beforeWrite?.();
    if (stop.aborted) return { kind: 'NOT_SENT', why: stopReason() };
    // The peer may have had enough of waiting while we asked whether to go on.
    if (socket.readyState !== 'open') return { kind: 'NOT_SENT', why: 'the connection was closed' };
    return await exchange(socket, url, headers, call, stop, stopReason);
  } finally {
    socket.destroy();
  }
}

function exchange(
  socket: Socket,
  url: URL,
  headers: Readonly<Record<string, string>>,
  call: DeclaredCall,
  stop: AbortSignal,
  stopReason: () => string,
): Promise<DeclaredAnswer> {
  return new Promise((resolve) => {
    const finish = (answer: DeclaredAnswer): void => {
      stop.removeEventListener('abort', onStop);
      socket.destroy();
      resolve(answer);
    };
    const unanswered = (why: string): void => finish({ kind: 'UNANSWERED', why });
    const onStop = (): void => unanswered(stopReason());
    stop.addEventListener('abort', onStop, { once: true });

    const outgoing = request({
      maxHeaderSize: HEADERS_MAX_BYTES,
      method: call.method,
      path: `${url.pathname}${url.search}`,
      headers,
      setHost: false,
      createConnection: () => socket,
    });
    // Once an answer has begun, only how it ends counts: a peer may answer and close while we still
    // write.
    let begun = false;
    outgoing.on('error', (error) => begun || unanswered(brokenReason(error)));
    outgoing.on('close', () => begun || unanswered('the connection was closed before an answer'));
    // 101: a status was received, and there is no text to come.
    outgoing.on('upgrade', ({ statusCode = 0 }) =>
      finish({
        kind: 'ANSWER',
        status: statusCode,
        text: '',
        truncated: false,
        contentType: undefined,
        retryAfter: undefined,
      }),
    );
    outgoing.on('response', (incoming) => {
      begun = true;
      readAnswer(incoming, call.maxBytes, finish);
    });
    outgoing.end(call.body);
  });
}

/** Calls `onAnswer` at least once; only its first call counts. */
function readAnswer(
  incoming: IncomingMessage,
  maxBytes: number,
  onAnswer: (answer: DeclaredAnswer) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let whole = false;
  // From here on the outcome is known, whatever becomes of the connection.
  async function answer(truncated: boolean): Promise<void> {
    if (whole) return;
    whole = true;
    const {
      'content-type': contentType,
      'content-encoding': contentEncoding,
      'content-length': contentLength,
      'retry-after': retryAfter,
    } = incoming.headers;
    const read = await bodyText({
      bytes: Buffer.concat(chunks).subarray(0, maxBytes),
      truncated,
      contentType,
      contentEncoding,
      contentLength,
      maxBytes,
    });
    const status = incoming.statusCode ?? 0;
    onAnswer({ kind: 'ANSWER', status, ...read, contentType, retryAfter });
  }
  const cut = (why: string): void => {
    if (!whole) onAnswer({ kind: 'UNANSWERED', why });
  };
  incoming.on('data', (chunk: Buffer) => {
    if (whole) return;
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) void answer(true);
  });
  incoming.on('end', () => incoming.complete && void answer(false));
  // Comes last, after 'end' or instead of it.
  incoming.on('close', () => cut('the answer was cut off'));
  incoming.on('error', (error) => cut(brokenReason(error)));
}
