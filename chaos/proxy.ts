// A TCP proxy between the product and one thing it needs: delays, cuts, drops replies, swallows
// everything; or waits for certain bytes and then acts once. The named failpoints are made with
// that, from outside: the product has no hooks for its own tests.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type LinkMode =
  /** `deaf`: what the server says is lost. */
  | { readonly kind: 'pass' | 'cut' | 'deaf' | 'blackhole' }
  | { readonly kind: 'delay'; readonly ms: number };

export interface Trap {
  /** Made once a connection, so that it may remember what it saw on it. */
  readonly matcher: () => (chunk: Buffer) => boolean;
  /** `hold`: the bytes are not passed on. `lose-reply`: they are, and what comes back is lost. */
  readonly act: 'hold' | 'lose-reply';
  /** How long the server has to do what it was told, before `sprung`. */
  readonly graceMs: number;
  readonly sprung: () => void;
}

export interface Proxy {
  readonly port: number;
  readonly set: (mode: LinkMode) => void;
  /** Bytes and connections that the present mode, or those before, kept from arriving. */
  readonly harmed: () => number;
  /** Taken off when it has sprung, or by the function that comes back. */
  readonly arm: (trap: Trap) => () => void;
  readonly close: () => void;
}

interface Pair {
  readonly end: () => void;
  lost: boolean;
  deaf: boolean;
  held: boolean;
}

export async function createProxy(target: { readonly port: number }): Promise<Proxy> {
  let mode: LinkMode = { kind: 'pass' };
  let harmed = 0;
  const traps = new Set<Trap>();
  const pairs = new Set<Pair>();

  const server = createServer((client) => {
    if (mode.kind === 'cut') {
      harmed++;
      return void client.destroy();
    }
    const upstream = connect(target.port, '127.0.0.1');
    const pair: Pair = {
      end: () => (client.destroy(), upstream.destroy()),
      lost: false,
      deaf: false,
      held: false,
    };
    pairs.add(pair);
    const matchers = new Map<Trap, (chunk: Buffer) => boolean>();
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => (pair.end(), pairs.delete(pair)));
    }
    client.on('data', (chunk: Buffer) => {
      if (pair.held || mode.kind === 'blackhole') return lose(pair);
      for (const armed of traps) {
        const match = matchers.get(armed) ?? armed.matcher();
        matchers.set(armed, match);
        if (!match(chunk)) continue;
        traps.delete(armed);
        lose(pair);
        if (armed.act === 'hold') pair.held = true;
        else pair.deaf = true;
        setTimeout(() => (armed.sprung(), pair.end()), armed.graceMs);
        if (armed.act === 'hold') return;
        break;
      }
      pass(upstream, chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (pair.deaf || pair.held || mode.kind === 'blackhole' || mode.kind === 'deaf')
        return lose(pair);
      pass(client, chunk);
    });
  });

  const lose = (pair: Pair): void => {
    pair.lost = true;
    harmed++;
  };
  function pass(to: Socket, chunk: Buffer): void {
    if (mode.kind !== 'delay') return void to.write(chunk);
    harmed++;
    setTimeout(() => to.destroyed || to.write(chunk), mode.ms);
  }

  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      mode = next;
      if (next.kind === 'cut') {
        harmed += pairs.size;
        for (const pair of pairs) pair.end();
      }
      // A stream that lost bytes can't go on.
      if (next.kind === 'pass')
        for (const pair of pairs) if (pair.lost && !pair.held && !pair.deaf) pair.end();
    },
    harmed: () => harmed,
    arm: (next) => {
      traps.add(next);
      return () => void traps.delete(next);
    },
    close: () => {
      server.close();
      for (const pair of pairs) pair.end();
    },
  };
}

/**
 * Sees `text` although it may lie across two pieces; where `after` is given, only once that was
 * seen on the same connection.
 */
export const sees = (text: string, after?: string) => (): ((chunk: Buffer) => boolean) => {
  let tail = Buffer.alloc(0);
  let ready = after === undefined;
  return (chunk) => {
    const bytes = Buffer.concat([tail, chunk]);
    tail = bytes.subarray(-64);
    ready ||= bytes.includes(after ?? '');
    const seen = ready && bytes.includes(text);
    if (seen) tail = Buffer.alloc(0);
    return seen;
  };
};
