// A scripted MCP server over streamable HTTP, of either generation of the protocol. What it declares
// may be changed while it runs, and each call does what the test says. Keeps what it was sent.

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Json = Record<string, unknown>;

export interface DeclaredTool extends Json {
  readonly name: string;
}
export interface SentMessage {
  readonly http: string;
  readonly headers: IncomingMessage['headers'];
  readonly method?: string;
  readonly id?: string | number;
  readonly params?: Json;
  readonly result?: unknown;
  readonly error?: unknown;
}
export interface McpCallSeen {
  readonly name: string;
  readonly args: Json;
  readonly key: unknown;
  cancelled: boolean;
  /** The client has closed the connection before it was answered. */
  aborted: boolean;
}

/** What a call comes to. */
export type Behaviour =
  | { readonly result: Json }
  | { readonly error: { readonly code: number; readonly message: string } }
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  /** Answers nothing; `cut` closes the connection, `half` after a part of the answer. */
  | { readonly no: 'answer' | 'cut' | 'half' | 'json' | 'html' | 'own id' }
  /** So many notices, then the result. */
  | { readonly notices: number; readonly result: Json }
  /** Asks this of the client before it answers. */
  | { readonly asks: string; readonly result: Json };

export const said = (text: string): Json => ({ content: [{ type: 'text', text }] });

export const declare = (name: string, more: Json = {}): DeclaredTool => ({
  name,
  description: `Does ${name}.`,
  inputSchema: { type: 'object', properties: { note: { type: 'string' } } },
  ...more,
});

export interface ScriptedMcp {
  readonly url: string;
  tools: DeclaredTool[];
  behave: (call: McpCallSeen, nth: number) => Behaviour;
  /** Instead of any answer to this method. */
  readonly faults: Map<string, Behaviour>;
  readonly calls: McpCallSeen[];
  readonly sent: SentMessage[];
  readonly forgetSessions: () => void;
  readonly change: (name: string, more: Json) => void;
  readonly down: () => Promise<void>;
  readonly up: () => Promise<void>;
}

export interface McpOptions {
  readonly modern?: boolean;
  /** Answers are plain JSON instead of streams, and there are no sessions. */
  readonly plain?: boolean;
  readonly pageSize?: number;
  readonly token?: string;
  readonly tools?: readonly DeclaredTool[];
}

const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';

export async function startScriptedMcp(options: McpOptions = {}): Promise<ScriptedMcp> {
  const { modern = false, plain = false, pageSize = 100, token } = options;
  const sessions = new Set<string>();
  const underWay = new Map<unknown, McpCallSeen>();
  const asked = new Map<string, (answer: SentMessage) => void>();
  let server: Server | undefined;
  let port = 0;

  const self: ScriptedMcp = {
    get url() {
      return `http://127.0.0.1:${port}/mcp`;
    },
    tools: [...(options.tools ?? [declare('look'), declare('act')])],
    behave: () => ({ result: said('done') }),
    faults: new Map(),
    calls: [],
    sent: [],
    forgetSessions: () => sessions.clear(),
    change: (name, more) => {
      self.tools = self.tools.map((tool) => (tool.name === name ? { ...tool, ...more } : tool));
    },
    down: async () => {
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
    },
    up: async () => {
      server = createServer((request, response) => void take(request, response));
      await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
      port = (server.address() as AddressInfo).port;
    },
  };

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const message = (text === '' ? {} : JSON.parse(text)) as SentMessage;
    const seen = { ...message, http: request.method ?? '', headers: request.headers };
    self.sent.push(seen);
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
      return end(response, 401, '', {
        'www-authenticate':
          'Bearer scope="tools", resource_metadata="http://auth.test/.well-known"',
      });
    if (request.method !== 'POST') return end(response, request.method === 'DELETE' ? 200 : 405);
    const fault = self.faults.get(message.method ?? '');
    if (fault !== undefined) return come(fault, message, response);
    if (message.method === undefined) {
      asked.get(String(message.id))?.(seen);
      return end(response, 202);
    }
    if (message.id === undefined) {
      const call = underWay.get(message.params?.['requestId']);
      if (message.method === 'notifications/cancelled' && call !== undefined) call.cancelled = true;
      return end(response, 202);
    }
    if (modern && message.method === 'initialize')
      return end(response, 400, rpc(message, { error: { code: -32022, message: 'modern only' } }));
    if (!modern && message.method === 'server/discover')
      return end(response, 400, rpc(message, { error: { code: -32000, message: 'no session' } }));
    if (!modern && message.method === 'initialize') return welcome(message, response);
    const session = request.headers['mcp-session-id'];
    if (!modern && !plain && !sessions.has(String(session)))
      return end(response, 404, rpc(message, { error: { code: -32001, message: 'no session' } }));
    handle(message, response);
  }

  function welcome(message: SentMessage, response: ServerResponse): void {
    const session = randomUUID();
    sessions.add(session);
    const result = {
      protocolVersion: LEGACY,
      capabilities: { tools: {} },
      serverInfo: { name: 'scripted', version: '1' },
    };
    end(response, 200, rpc(message, { result }), plain ? {} : { 'mcp-session-id': session });
  }

  function handle(message: SentMessage, response: ServerResponse): void {
    const { params = {} } = message;
    switch (message.method) {
      case 'server/discover':
        return answer(message, response, {
          ...{ supportedVersions: [MODERN], capabilities: { tools: {} } },
          // A list may be kept for an hour: nobody may go by that.
          ...{ ttlMs: 3_600_000, cacheScope: 'private' },
        });
      case 'tools/list': {
        const from = Number(params['cursor'] ?? 0);
        const more = from + pageSize < self.tools.length;
        return answer(message, response, {
          tools: self.tools.slice(from, from + pageSize),
          ...(more ? { nextCursor: String(from + pageSize) } : {}),
          ...(modern ? { ttlMs: 3_600_000, cacheScope: 'private' } : {}),
        });
      }
      case 'tools/call': {
        const meta = (params['_meta'] ?? {}) as Json;
        const call: McpCallSeen = {
          name: String(params['name']),
          args: (params['arguments'] ?? {}) as Json,
          key: meta['holdpoint/idempotencyKey'],
          cancelled: false,
          aborted: false,
        };
        self.calls.push(call);
        underWay.set(message.id, call);
        response.on('close', () => {
          if (!response.writableFinished) call.aborted = true;
        });
        const nth = self.calls.filter((one) => one.key === call.key).length;
        return come(self.behave(call, nth), message, response);
      }
      default:
        end(response, 404, rpc(message, { error: { code: -32601, message: 'no such method' } }));
    }
  }

  function come(what: Behaviour, message: SentMessage, response: ServerResponse): void {
    if ('status' in what) return end(response, what.status, what.body ?? '', what.headers);
    if ('error' in what) return end(response, 200, rpc(message, { error: what.error }));
    if ('no' in what) return refuse(what.no, message, response);
    if ('notices' in what) {
      for (let n = 0; n < what.notices; n++)
        event(response, { jsonrpc: '2.0', method: 'notifications/message', params: { data: n } });
      return answer(message, response, what.result);
    }
    if (!('asks' in what)) return answer(message, response, what.result);
    if (modern)
      return answer(message, response, {
        resultType: 'input_required',
        inputRequests: { one: { method: what.asks, params: {} } },
        requestState: 'state',
      });
    const id = randomUUID();
    asked.set(id, () => answer(message, response, what.result));
    event(response, { jsonrpc: '2.0', id, method: what.asks, params: {} });
  }

  function refuse(how: string, message: SentMessage, response: ServerResponse): void {
    switch (how) {
      case 'answer':
        return;
      case 'cut':
        return void response.socket?.destroy();
      case 'half':
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('event: message\ndata: {"jsonrpc":"2.0","id":');
        return void setTimeout(() => response.socket?.destroy(), 30);
      case 'json':
        return end(response, 200, '{"jsonrpc":"2.0",');
      case 'html':
        return end(response, 200, '<html>Sign in</html>', { 'content-type': 'text/html' });
      default:
        return answer({ ...message, id: 'of-another' }, response, said('not yours'));
    }
  }

  function answer(message: SentMessage, response: ServerResponse, result: Json): void {
    const whole = modern ? { resultType: 'complete', ...result } : result;
    const text = rpc(message, { result: whole });
    if (plain && !response.headersSent) return end(response, 200, text);
    event(response, JSON.parse(text) as Json);
    response.end();
  }

  await self.up();
  return self;
}

const rpc = ({ id = undefined }: SentMessage, what: Json): string =>
  JSON.stringify({ jsonrpc: '2.0', id: id ?? null, ...what });

function event(response: ServerResponse, message: Json): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
}

function end(
  response: ServerResponse,
  status: number,
  body = '',
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body);
}
