// Reads an address that came from a user, a model or a redirect: http and https, public ones only.
// What is checked is what is connected to: a literal, every answer of the lookup, and at last the
// peer; so a name that changes its answer changes nothing. Redirects are followed by hand, each hop
// like the first. Bytes are counted after decompression. Nothing of ours travels along: no cookie,
// no token.

import { lookup } from 'node:dns/promises';
import { request, type IncomingMessage } from 'node:http';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { brokenReason, unsentReason } from './break-reason.ts';
import { hostOf, portOf, type PublicAddresses } from './public-address.ts';

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
  | { readonly kind: 'REFUSED'; readonly why: string }
  | { readonly kind: 'FAILED'; readonly why: string };

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];
/** One of several addresses that swallows packets must not use up the time of the others. */
const CONNECT_MS = 4000;

type Failure = Extract<PublicAnswer, { kind: 'REFUSED' | 'FAILED' }>;
const refused = (why: string): Failure => ({ kind: 'REFUSED', why });
const failed = (why: string): Failure => ({ kind: 'FAILED', why });

export async function readPublic(read: PublicRead): Promise<PublicAnswer> {
  const stop = AbortSignal.any([read.signal, AbortSignal.timeout(read.timeoutMs)]);
  const stopped = (): Failure =>
    failed(read.signal.aborted ? 'it was cancelled' : `it took longer than ${read.timeoutMs} ms`);
  let address = read.url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const problem = read.addresses.problem(address);
    if (problem !== undefined)
      return refused(
        hop === 0 ? `the address ${problem}` : `it redirects to an address that ${problem}`,
      );
    const url = new URL(address);
    const opened = await open(url, read.addresses, stop);
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

/** A connection to one of the host's addresses, all of which are allowed. */
async function open(
  url: URL,
  addresses: PublicAddresses,
  stop: AbortSignal,
): Promise<Socket | Failure> {
  const [host, port] = [hostOf(url), portOf(url)];
  let found: readonly string[];
  try {
    found = isIP(host)
      ? [host]
      : (await untilStopped(lookup(host, { all: true, verbatim: true }), stop)).map(
          (answer) => answer.address,
        );
  } catch (error) {
    return failed(error instanceof Error ? unsentReason(error) : 'the host could not be looked up');
  }
  if (found.length === 0) return failed('the host was not found');
  if (!found.every((address) => addresses.allows(host, port, address)))
    return refused('the address is not a public one');
  let last: Failure = failed('the connection failed');
  for (const address of found) {
    const socket = await connect(
      url,
      address,
      port,
      AbortSignal.any([stop, AbortSignal.timeout(CONNECT_MS)]),
    );
    if (stop.aborted) return last;
    if ('kind' in socket) {
      last = socket;
      continue;
    }
    // What the system connected to, whatever it was asked.
    if (addresses.allows(host, port, socket.remoteAddress ?? '')) return socket;
    socket.destroy();
    return refused('the address is not a public one');
  }
  return last;
}

async function untilStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  let onStop: () => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    onStop = () => reject(new Error('stopped'));
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

function connect(
  url: URL,
  address: string,
  port: number,
  stop: AbortSignal,
): Promise<Socket | Failure> {
  const secure = url.protocol === 'https:';
  const name = hostOf(url);
  return new Promise((resolve) => {
    const socket = secure
      ? connectTls({
          host: address,
          port,
          ...(isIP(name) ? {} : { servername: name }),
          ALPNProtocols: ['http/1.1'],
        })
      : connectTcp({ host: address, port });
    const finish = (result: Socket | Failure): void => {
      stop.removeEventListener('abort', onStop);
      if ('kind' in result) socket.destroy();
      resolve(result);
    };
    const onStop = (): void => finish(failed('the connection timed out'));
    stop.addEventListener('abort', onStop, { once: true });
    // Stays for the socket's life: an error while nobody reads must not end the process.
    socket.on('error', (error) => finish(failed(unsentReason(error))));
    socket.once(secure ? 'secureConnect' : 'connect', () => finish(socket));
  });
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
