// POST /mcp: our runs as an MCP server over streamable HTTP, without sessions. What HTTP refuses is a
// problem like everywhere; what JSON-RPC refuses is answered as the client's protocol says.

import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import type { AppDeps } from '../deps.ts';
import { BODY_MAX_BYTES } from '../http/body.ts';
import { STREAM_HEADERS } from '../http/event-stream.ts';
import { defineRoute, type Answer, type Route, type RouteRequest } from '../http/route.ts';
import { createServeMcp } from './serve.ts';

/** JSON-RPC's own codes. */
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;

/** What the SDK reads of a request beside its body. */
const PASSED_ON = ['accept', 'mcp-method', 'mcp-name', 'mcp-protocol-version'];

const Rpc = z.looseObject({}).meta({
  id: 'JsonRpcMessage',
  description: 'A message of the Model Context Protocol.',
});

/** `others`: the routes that the tools ask. */
export function mcpRoutes(deps: AppDeps, others: readonly Route[]): readonly Route[] {
  const serve = createServeMcp(deps, others);
  return [
    defineRoute({
      method: 'POST',
      path: '/mcp',
      scope: 'token',
      id: 'mcp',
      tag: 'mcp',
      summary: 'Our runs as an MCP server',
      description:
        'Streamable HTTP without sessions, for clients of both generations of the Model Context Protocol. Tools: `list_agents`, `run_agent`, `get_run`, `decide_call`, `cancel_run`, `list_approvals`; each needs the scope of its route. An answer with progress is an event stream.',
      body: {
        schema: z.unknown().meta({ override: { $ref: '#/components/schemas/JsonRpcMessage' } }),
        maxBytes: BODY_MAX_BYTES,
        onMalformed: (problem) => rpcError(PARSE_ERROR, problem),
      },
      answers: {
        200: { description: 'The message’s answer.', schema: Rpc },
        202: { description: 'A notification was taken.' },
        400: { description: 'JSON-RPC: what is no message, or not of the protocol.', schema: Rpc },
        404: { description: 'JSON-RPC: an unknown method.', schema: Rpc },
        406: {
          description: 'JSON-RPC: neither JSON nor an event stream is accepted.',
          schema: Rpc,
        },
      },
      refusals: ['FORBIDDEN'],
      handle: async (request) => {
        refuseForeignOrigin(deps, request.header('Origin'));
        if (Array.isArray(request.body))
          return rpcError(INVALID_REQUEST, 'Send one message a request, not a list of them.');
        const handler = serve(request);
        const received = await handler.fetch(webRequest(request), { parsedBody: request.body });
        return {
          status: received.status,
          stream: async (response) => {
            await writeTo(response, received);
            await handler.close();
          },
        };
      },
    }),
  ];
}

/**
 * A page that a browser was lured to must not speak to a server on its machine (DNS rebinding): only
 * pages of our own address and of CORS_ORIGINS do. Other clients send no Origin.
 */
function refuseForeignOrigin({ corsOrigins = [], pageUrl }: AppDeps, origin: string): void {
  if (origin === '' || corsOrigins.includes(origin)) return;
  const own = pageUrl?.();
  if (own !== undefined && URL.canParse(own) && new URL(own).origin === origin) return;
  throw new AppError(
    'FORBIDDEN',
    'Pages of this origin may not call this. CORS_ORIGINS names those that may.',
  );
}

function webRequest({ header, gone }: RouteRequest<unknown, unknown>): Request {
  const headers = new Headers({ 'content-type': 'application/json' });
  for (const name of PASSED_ON) if (header(name) !== '') headers.set(name, header(name));
  // The address is not looked at, and the body is given beside it.
  return new Request('http://holdpoint.invalid/mcp', { method: 'POST', headers, signal: gone });
}

async function writeTo(response: ServerResponse, received: Response): Promise<void> {
  const type = received.headers.get('content-type');
  response.statusCode = received.status;
  if (type !== null) response.setHeader('Content-Type', type);
  if (received.body === null) return void response.end();
  if (!type?.startsWith('text/event-stream'))
    return void response.end(`${await received.text()}\n`);
  for (const [name, value] of Object.entries(STREAM_HEADERS)) response.setHeader(name, value);
  response.flushHeaders();
  await pipeline(Readable.fromWeb(received.body), response);
}

function rpcError(code: number, message: string): Answer {
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } });
  return {
    status: 400,
    stream: async (response) => {
      response.statusCode = 400;
      response.setHeader('Content-Type', 'application/json');
      response.end(`${body}\n`);
    },
  };
}
