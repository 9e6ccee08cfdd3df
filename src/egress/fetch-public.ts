// Reads an address that came from a user, a model or a redirect: http and https, public ones only.
// What is checked is what is connected to: a literal, every answer of the lookup, and at last the
// peer; so a name that changes its answer changes nothing. Redirects are followed by hand, each hop
// like the first. Bytes are counted after decompression. Nothing of ours travels along: no cookie,
// no token.

import { request, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { brokenReason } from './break-reason.ts';
import { failed, openPublic, refused, type PublicFailure } from './open-public.ts';
import type { PublicAddresses } from './public-address.ts';

export interface PublicRead {
  readonly url: string;
  readonly addresses: PublicAddresses;
  /** For all of it, redirects included. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Reading stops there. */
  readonly maxBytes: number;
  readonly accept: string;
}

/** `why`: a few words that may be shown. REFUSED: asking again is no use. */
export type PublicAnswer =
  | {
      readonly kind: 'ANSWER';
      readonly status: number;
      readonly bytes: Buffer;
      readonly truncated: boolean;
      readonly contentType: string;
      /** Where the last redirect led. */
      readonly url: string;
    }
  | PublicFailure;

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

export async function readPublic(read: PublicRead): Promise<PublicAnswer> {
  const stop = AbortSignal.any([read.signal, AbortSignal.timeout(read.timeoutMs)]);
  const stopped = (): PublicFailure =>
    failed(read.signal.aborted ? 'it was cancelled' : `it took longer than ${read.timeoutMs} ms`);
  let address = read.url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const problem = read.addresses.problem(address);
    if (problem !== undefined)
      return refused(
        hop === 0 ? `the address ${problem}` : `it redirects to an address that ${problem}`,
      );
    const url = new URL(address);
    const opened = await openPublic(url, read.addresses, stop);
    if (stop.aborted) {
      if (!('kind' in opened)) opened.destroy();
      return stopped();
    }
    if ('kind' in opened) return opened;
    try {
      const got = await exchange(opened, url, read, stop);
      if (stop.aborted && 'kind' in got) return stopped();
      if (!('location' in got)) return got;
      if (!URL.canParse(got.location, url.href))
        return refused('it redirects to an address that is not valid');
      address = new URL(got.location, url).href;
    } finally {
      opened.destroy();
    }
  }
  return refused(`it redirects more than ${MAX_REDIRECTS} times`);
}

type Redirect = { readonly location: string };

function exchange(
  socket: Socket,
  url: URL,
  read: PublicRead,
  stop: AbortSignal,
): Promise<PublicAnswer | Redirect> {
  return new Promise((resolve) => {
    const finish = (result: PublicAnswer | Redirect): void => {
      stop.removeEventListener('abort', onStop);
      socket.destroy();
      resolve(result);
    };
    const onStop = (): void => finish(failed('it was stopped'));
    stop.addEventListener('abort', onStop, { once: true });
    const outgoing = request({
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: {
        host: url.host,
        accept: read.accept,
        'accept-encoding': 'gzip, deflate, br',
        'user-agent': 'Holdpoint',
        connection: 'close',
      },
      setHost: false,
      createConnection: () => socket,
    });
    outgoing.on('error', (error) => finish(failed(brokenReason(error))));
    outgoing.on('response', (incoming) => {
      const { statusCode: status = 0, headers } = incoming;
      if (REDIRECTS.includes(status) && headers.location !== undefined)
        return finish({ location: headers.location });
      collect(incoming, read.maxBytes).then(
        ({ bytes, truncated }) =>
          finish({
            kind: 'ANSWER',
            status,
            bytes,
            truncated,
            contentType: headers['content-type'] ?? '',
            url: url.href,
          }),
        () => finish(failed('the answer was cut off or is not what its headers say')),
      );
    });
    outgoing.end();
  });
}

const DECODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

async function collect(
  incoming: IncomingMessage,
  maxBytes: number,
): Promise<{ bytes: Buffer; truncated: boolean }> {
  const encoding = (incoming.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const decoder = DECODERS[encoding]?.();
  if (decoder === undefined && encoding !== 'identity')
    throw new Error('an encoding that was not asked for');
  if (decoder !== undefined)
    incoming.on('error', (error) => decoder.emit('error', error)).pipe(decoder);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of (decoder ?? incoming) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break;
  }
  if (size <= maxBytes && !incoming.complete) throw new Error('cut off');
  return { bytes: Buffer.concat(chunks).subarray(0, maxBytes), truncated: size > maxBytes };
}
