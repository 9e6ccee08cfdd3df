// The servers whose tools agents have, and the only place that holds connections to them: opened
// when they are needed, shared by calls, opened once more where a session is gone before anything was
// carried out.

import type { McpDefinition, McpServer } from '../contract/agent.ts';
import type { McpConnection, McpRequest } from './connection.ts';
import { createConnections } from './connections.ts';
import { definitionHash, readDefinition } from './definition.ts';
import type { McpAnswer } from './exchange.ts';
import { isNamed, listTools, whyNot, type Listed } from './list-tools.ts';

/** What a server declares of one tool right now. */
export type Look =
  | { readonly kind: 'DECLARED'; readonly definition: McpDefinition }
  /** It has no such tool, or declares it in a way that cannot be kept. */
  | { readonly kind: 'GONE' }
  | { readonly kind: 'UNREACHED'; readonly why: string };

export interface McpCall {
  readonly server: McpServer;
  readonly definition: McpDefinition;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly beforeWrite: () => Promise<void>;
  readonly onProgress?: (done: number, total: number | undefined) => void;
}

/** `MOVED`: nothing was carried out, and the server now declares another tool. */
export type CallAnswer = Exclude<McpAnswer, { kind: 'SESSION_GONE' }> | { readonly kind: 'MOVED' };

export interface McpServers {
  /** Every tool, as the server says it. */
  readonly list: (server: McpServer, signal: AbortSignal) => Promise<Listed>;
  /** Asked of the server itself, whatever it said about keeping its list. */
  readonly look: (server: McpServer, name: string, signal: AbortSignal) => Promise<Look>;
  readonly call: (call: McpCall) => Promise<CallAnswer>;
  readonly close: () => Promise<void>;
}

export interface McpServersDeps {
  readonly secret: (name: string) => string | undefined;
}

export function createMcpServers({ secret }: McpServersDeps): McpServers {
  const connections = createConnections(secret);

  async function look(server: McpServer, name: string, signal: AbortSignal): Promise<Look> {
    const is = isNamed(name);
    const found = await listTools(connections, server, signal, (tools) => tools.some(is));
    if (found.kind !== 'LISTED') return found;
    const read = readDefinition(found.tools.find(is));
    return read.ok ? { kind: 'DECLARED', definition: read.definition } : { kind: 'GONE' };
  }

  async function call(asked: McpCall): Promise<CallAnswer> {
    const { server, definition, signal } = asked;
    for (let tries = 1; ; tries++) {
      let connection: McpConnection;
      try {
        connection = await connections.to(server, signal);
      } catch (error) {
        return { kind: 'NOT_SENT', why: whyNot(error, signal) };
      }
      const answer = await connection.request(callRequest(asked));
      if (answer.kind !== 'SESSION_GONE') return answer;
      if (tries === 2) return { kind: 'STATUS', status: 404, text: '' };
      connections.drop(server);
      // Another process may answer at the address now.
      const now = await look(server, definition.name, signal);
      if (now.kind === 'UNREACHED') return { kind: 'NOT_SENT', why: now.why };
      const same =
        now.kind === 'DECLARED' && definitionHash(now.definition) === definitionHash(definition);
      if (!same) return { kind: 'MOVED' };
    }
  }

  return {
    list: (server, signal) => listTools(connections, server, signal, () => false),
    look,
    call,
    close: connections.close,
  };
}

const callRequest = (asked: McpCall): McpRequest => ({
  method: 'tools/call',
  params: {
    name: asked.definition.name,
    arguments: asked.arguments,
    _meta: { 'holdpoint/idempotencyKey': asked.idempotencyKey },
  },
  timeoutMs: asked.timeoutMs,
  signal: asked.signal,
  beforeWrite: asked.beforeWrite,
  onProgress: asked.onProgress,
  definition: asked.definition,
});
