// A connection to an address that came from a user, a model, a redirect or a webhook: what is
// checked is what is connected to, a literal, every answer of the lookup, and at last the peer; so a
// name that changes its answer changes nothing.

import { lookup, Resolver } from 'node:dns/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { untilAborted } from '../deadline.ts';
import { unsentReason } from './break-reason.ts';
import { hostOf, portOf, type PublicAddresses } from './public-address.ts';

/** `why`: a few words that may be shown. REFUSED: asking again is no use. */
export type PublicFailure =
  | { readonly kind: 'REFUSED'; readonly why: string }
  | { readonly kind: 'FAILED'; readonly why: string };

export const refused = (why: string): PublicFailure => ({ kind: 'REFUSED', why });
export const failed = (why: string): PublicFailure => ({ kind: 'FAILED', why });

/** One of several addresses that swallows packets must not use up the time of the others. */
const CONNECT_MS = 4000;

type LookUp = (host: string) => Promise<readonly string[]>;

const byTheSystem: LookUp = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map((answer) => answer.address);

/** A name server that has not answered by then is not asked a third time. */
const NAME_SERVER = { timeout: 2000, tries: 2 };

/**
 * The system's lookup occupies one of the process's four threads until the name server answers: a
 * few names whose servers are silent would hold up every lookup and every file of the process. This
 * one asks the name servers over sockets, and the system only about what they do not know (a hosts
 * file).
 */
export const withoutThreads: LookUp = async (host) => {
  const resolver = new Resolver(NAME_SERVER);
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = [v4, v6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length > 0) return found;
  const silent = [v4, v6].find(
    (answer) => answer.status === 'rejected' && codeOf(answer.reason) === 'ETIMEOUT',
  );
  if (silent?.status === 'rejected') throw silent.reason;
  return byTheSystem(host);
};

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;

/** A connection to one of the host's addresses, all of which are allowed. */
export async function openPublic(
  url: URL,
  addresses: PublicAddresses,
  stop: AbortSignal,
  lookUp: LookUp = byTheSystem,
): Promise<Socket | PublicFailure> {
  const [host, port] = [hostOf(url), portOf(url)];
  let found: readonly string[];
  try {
    found = isIP(host) ? [host] : await untilAborted(lookUp(host), stop);
  } catch (error) {
    return failed(error instanceof Error ? unsentReason(error) : 'the host could not be looked up');
  }
  if (found.length === 0) return failed('the host was not found');
  if (!found.every((address) => addresses.allows(host, port, address)))
    return refused('the address is not a public one');
  let last: PublicFailure = failed('the connection failed');
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

function connect(
  url: URL,
  address: string,
  port: number,
  stop: AbortSignal,
): Promise<Socket | PublicFailure> {
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
    const finish = (result: Socket | PublicFailure): void => {
      stop.removeEventListener('abort', onStop);
      if ('kind' in result) socket.destroy();
      resolve(result);
    };
    const onStop = (): void => finish(failed('the connection timed out'));
    stop.addEventListener('abort', onStop, { once: true });
    // Stays for the socket's life: an error while nothing is read must not end the process.
    socket.on('error', (error) => finish(failed(unsentReason(error))));
    socket.once(secure ? 'secureConnect' : 'connect', () => finish(socket));
  });
}
