// Stands between the port and a real server and keeps what was said, byte for byte: one loopback
// proxy, one exchange at a time.

import { Readable } from 'node:stream';
import { bodyOf, serve } from '../../test/rig/http-server.ts';

export interface Exchange {
  readonly request: string;
  readonly status: number;
  readonly contentType: string;
  body: string;
  /** The server ended its answer; else the connection was broken off by one of the two. */
  whole: boolean;
}

export interface Recorder {
  /** Takes the place of the server's base URL. */
  readonly url: string;
  readonly last: () => Exchange | undefined;
  readonly close: () => Promise<void>;
}

export async function startRecorder(target: string): Promise<Recorder> {
  let last: Exchange | undefined;
  const { port, close } = await serve(async (request, response) => {
    last = undefined;
    const text = await bodyOf(request);
    const gone = new AbortController();
    // the port has closed: so does this, and the server sees it
    response.once('close', () => gone.abort());
    const { authorization, 'api-key': azureKey } = request.headers;
    const answered = await fetch(`${new URL(target).origin}${request.url}`, {
      method: 'POST',
      body: text,
      headers: {
        'content-type': 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
        ...(azureKey === undefined ? {} : { 'api-key': String(azureKey) }),
      },
      signal: gone.signal,
    }).catch(() => undefined);
    if (answered === undefined) return void response.destroy();
    const contentType = answered.headers.get('content-type') ?? '';
    const exchange: Exchange = {
      request: text,
      status: answered.status,
      contentType,
      body: '',
      whole: false,
    };
    last = exchange;
    response.writeHead(answered.status, { 'content-type': contentType });
    const decoder = new TextDecoder();
    try {
      for await (const piece of answered.body === null ? [] : Readable.fromWeb(answered.body)) {
        exchange.body += decoder.decode(piece as Uint8Array, { stream: true });
        response.write(piece);
      }
      exchange.whole = true;
      response.end();
    } catch {
      response.destroy();
    }
  });
  const { pathname, search } = new URL(target);
  return { url: `http://127.0.0.1:${port}${pathname}${search}`, last: () => last, close };
}
