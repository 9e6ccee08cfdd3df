// A fresh connection to an address that an agent file declares, and the headers of the one request
// that goes over it. Opened before the last check and the first byte, so that what fails here is
// known not to have happened.

import { validateHeaderName, validateHeaderValue } from 'node:http';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { unsentReason } from './break-reason.ts';

/** Node's own limit is a quarter of it; what an answer with more says is not known. */
export const HEADERS_MAX_BYTES = 64 * 1024;

/** undefined: one of them cannot be sent. */
export function requestHeaders(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): Record<string, string> | undefined {
  const all: Record<string, string> = { host: url.host, 'accept-encoding': 'identity' };
  try {
    if (url.username !== '' || url.password !== '')
      all['authorization'] =
        `Basic ${Buffer.from(decodeURIComponent(`${url.username}:${url.password}`)).toString('base64')}`;
    for (const [name, value] of Object.entries(headers)) {
      validateHeaderName(name);
      validateHeaderValue(name, value);
      all[name.toLowerCase()] = value;
    }
  } catch {
    return undefined;
  }
  // How the message is framed follows from what is sent, whatever a file says.
  delete all['transfer-encoding'];
  delete all['content-length'];
  delete all['expect'];
  delete all['upgrade'];
  all['connection'] = 'close';
  if (body !== undefined) all['content-length'] = String(Buffer.byteLength(body));
  return all;
}

type Opened = { readonly socket: Socket } | { readonly kind: 'NOT_SENT'; readonly why: string };

export function openDeclared(
  url: URL,
  stop: AbortSignal,
  stopReason: () => string,
): Promise<Opened> {
  if (stop.aborted) return Promise.resolve({ kind: 'NOT_SENT', why: stopReason() });
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'https:';
  const port = Number(url.port) || (secure ? 443 : 80);
  return new Promise((resolve) => {
    const socket = secure
      ? connectTls({
          host,
          port,
          ...(isIP(host) ? {} : { servername: host }),
          ALPNProtocols: ['http/1.1'],
        })
      : connectTcp({ host, port });
    const onStop = (): void => finish({ kind: 'NOT_SENT', why: stopReason() });
    const finish = (result: Opened): void => {
      stop.removeEventListener('abort', onStop);
      if ('kind' in result) socket.destroy();
      resolve(result);
    };
    stop.addEventListener('abort', onStop, { once: true });
    // Stays for the socket's life: an error while nothing is written must not end the process.
    socket.on('error', (error) => finish({ kind: 'NOT_SENT', why: unsentReason(error) }));
    socket.once('close', () => finish({ kind: 'NOT_SENT', why: 'the connection was closed' }));
    socket.once(secure ? 'secureConnect' : 'connect', () =>
      finish({ socket: socket.setNoDelay(true) }),
    );
  });
}
