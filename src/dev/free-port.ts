// A free loopback port for a server of our own. From below the range that systems take outgoing
// connections from: a client that reconnects to a server that is down could else be given that
// server's own port, and keep it.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const [LOWEST, HIGHEST] = [17_000, 32_000];

export const portIsFree = (port: number, host = '127.0.0.1'): Promise<boolean> =>
  new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, host, () => probe.close(() => done(true)));
  });

export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await portIsFree(port, host)) return port;
  }
}

/**
 * A loopback address drawn from 16 million, for listeners without a login of their own: a page in a
 * browser that knows the machine has a loopback cannot find them. Systems that give the loopback
 * one address only (macOS) fall back to it.
 */
export async function hiddenLoopback(): Promise<string> {
  const drawn = [randomInt(1, 255), randomInt(0, 256), randomInt(2, 255)].join('.');
  return (await canListen(`127.${drawn}`)) ? `127.${drawn}` : '127.0.0.1';
}

const canListen = (host: string): Promise<boolean> =>
  new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(0, host, () => probe.close(() => done(true)));
  });
