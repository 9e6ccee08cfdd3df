// `fetch` for an address that an agent file declares, for a client that reads its answers as they
// come: as it is, without redirects and proxies, one fresh connection a request. What it tells its
// watcher is what is known of the request: whether a byte went out, the status, the end.

import { request, type IncomingMessage } from 'node:http';
import { Readable, Transform } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { brokenReason } from './break-reason.ts';
import { HEADERS_MAX_BYTES, openDeclared, requestHeaders } from './open-declared.ts';

/** `message`: a few words without address, header or secret. */
export class BrokenError extends Error {
  override readonly name = 'BrokenError';
}

export interface RequestWatcher {
  /** Awaited between the connection and the first byte. What it throws is thrown on. */
  readonly beforeWrite?: (() => Promise<void>) | undefined;
  readonly onSent?: () => void;
  readonly onStatus?: (status: number, headers: Headers) => void;
  /** The answer's body has ended, whole or not. */
  readonly onEnd?: () => void;
}

export interface StreamedRequest extends RequestWatcher {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  /** More than this of an answer is not read: it ends as broken. */
  readonly maxBytes: number;
}

export async function streamDeclared(asked: StreamedRequest): Promise<Response> {
  const { url, signal } = asked;
  if (!/^https?:$/.test(url.protocol))
    throw new BrokenError('the address is not a valid http or https one');
  const headers = requestHeaders(url, Object.fromEntries(asked.headers), asked.body);
  if (headers === undefined) throw new BrokenError('a header is not valid');
  const opened = await openDeclared(url, signal, () => 'it was stopped');
  if ('kind' in opened) throw new BrokenError(opened.why);
  const { socket } = opened;
  try {
    await asked.beforeWrite?.();
    if (signal.aborted) throw new BrokenError('it was stopped');
    // The peer may have had enough of waiting while we asked whether to go on.
    if (socket.readyState !== 'open') throw new BrokenError('the connection was closed');
  } catch (error) {
    socket.destroy();
    throw error;
  }
  asked.onSent?.();
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('close', () => {
    signal.removeEventListener('abort', onAbort);
    asked.onEnd?.();
  });
  return new Promise((resolve, reject) => {
    const broken = (error: Error): void => reject(new BrokenError(brokenReason(error)));
    const outgoing = request({
      maxHeaderSize: HEADERS_MAX_BYTES,
      method: asked.method,
      path: `${url.pathname}${url.search}`,
      headers,
      setHost: false,
      createConnection: () => socket,
    });
    outgoing.on('error', broken);
    outgoing.on('close', () =>
      reject(new BrokenError('the connection was closed before an answer')),
    );
    outgoing.on('upgrade', () => {
      socket.destroy();
      reject(new BrokenError('the answer was not valid HTTP'));
    });
    outgoing.on('response', (incoming) => {
      const { statusCode = 0 } = incoming;
      const answered = headersOf(incoming);
      asked.onStatus?.(statusCode, answered);
      resolve(responseOf(incoming, statusCode, answered, asked.maxBytes));
    });
    outgoing.end(asked.body);
  });
}

const headersOf = ({ rawHeaders }: IncomingMessage): Headers => {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  return headers;
};

/** Statuses that a `Response` takes no body with. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

function responseOf(
  incoming: IncomingMessage,
  status: number,
  headers: Headers,
  maxBytes: number,
): Response {
  if (WITHOUT_BODY.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers });
  }
  let bytes = 0;
  const bounded = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      done(bytes > maxBytes ? new Error('the answer is too long') : null, chunk);
    },
  });
  // A body that is cut is an error of `incoming`, which `pipe` does not hand on.
  incoming.on('error', (error) => bounded.destroy(error));
  bounded.on('error', () => incoming.destroy());
  bounded.on('close', () => incoming.destroy());
  incoming.pipe(bounded);
  const body = Readable.toWeb(bounded) as ReadableStream<Uint8Array>;
  // A `Response` takes no other number; the watcher was told the one that came.
  return new Response(body, { status: status >= 200 && status <= 599 ? status : 502, headers });
}
