// The connections that a process holds, one a server: opened when they are needed and shared.

import type { McpServer } from '../contract/agent.ts';
import { untilAborted } from '../deadline.ts';
import { canonicalJson } from '../json/canonical.ts';
import { fillSecrets } from '../tools/places.ts';
import type { McpConnection, OpenableServer } from './connection.ts';

/** A server that has not agreed on a version of the protocol by then is away. */
const OPEN_MS = 10_000;

export interface Connections {
  /** Rejects with why there is none. */
  readonly to: (server: McpServer, signal: AbortSignal) => Promise<McpConnection>;
  /** The next one is opened anew. */
  readonly drop: (server: McpServer) => void;
  readonly close: () => Promise<void>;
}

export function createConnections(secret: (name: string) => string | undefined): Connections {
  const held = new Map<string, Promise<McpConnection>>();
  const forget = (key: string, which: Promise<McpConnection>): void => {
    if (held.get(key) === which) held.delete(key);
  };
  return {
    to: async (server, signal) => {
      const key = canonicalJson(server);
      const known = held.get(key);
      if (known !== undefined) {
        const connection = await untilAborted(known, signal);
        if (!connection.isClosed()) return connection;
        forget(key, known);
      }
      // Loaded where an agent has such tools: it is a tenth of a second.
      const opening = import('./connection.ts').then(({ openConnection }) =>
        openConnection(openable(server, secret), AbortSignal.timeout(OPEN_MS)),
      );
      held.set(key, opening);
      opening.catch(() => forget(key, opening));
      return untilAborted(opening, signal);
    },
    drop: (server) => {
      const key = canonicalJson(server);
      void held
        .get(key)
        ?.then((connection) => connection.close())
        .catch(() => undefined);
      held.delete(key);
    },
    close: async () => {
      const all = [...held.values()];
      held.clear();
      await Promise.all(
        all.map((opening) => opening.then((one) => one.close()).catch(() => undefined)),
      );
    },
  };
}

function openable(server: McpServer, secret: (name: string) => string | undefined): OpenableServer {
  if ('command' in server) return server;
  const reveal = (name: string): string => {
    const value = secret(name);
    if (value === undefined) throw new Error(`the secret ${name} is not set on this server`);
    return value;
  };
  return {
    url: fillSecrets(server.url, reveal),
    headers: Object.fromEntries(
      Object.entries(server.headers).map(([name, value]) => [name, fillSecrets(value, reveal)]),
    ),
  };
}
