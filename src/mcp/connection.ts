// A connection to one server by the official SDK, which speaks both generations of the protocol.
// The SDK finds out which, shakes hands, numbers and cancels; what came of a request is judged by
// what went over the wire (exchange.ts). Whatever a server asks back is declined, for nothing is
// promised to it.

import {
  Client,
  StreamableHTTPClientTransport,
  type JSONRPCMessage,
  type Transport,
} from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { McpDefinition } from '../contract/agent.ts';
import { withDeadline } from '../deadline.ts';
import { BrokenError, streamDeclared } from '../egress/stream-declared.ts';
import {
  currentExchange,
  judge,
  lastCheck,
  newExchange,
  type Exchange,
  type McpAnswer,
} from './exchange.ts';
import { authorizationWanted } from './authorization.ts';

/** Addresses and headers filled in. */
export type OpenableServer =
  | { readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | { readonly command: readonly string[] };

export interface McpRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Awaited right before the bytes are written; what it throws is thrown. */
  readonly beforeWrite?: (() => Promise<void>) | undefined;
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  /** Of a call: some arguments may have to stand in headers too. */
  readonly definition?: McpDefinition | undefined;
}

export interface McpConnection {
  readonly request: (request: McpRequest) => Promise<McpAnswer>;
  /** Nothing can be sent over it any more. */
  readonly isClosed: () => boolean;
  readonly close: () => Promise<void>;
}

/** One result with a recording and some pictures in base64, or a list of thousands of tools. */
const ANSWER_MAX_BYTES = 33_554_432;
/** A server that waits for more than this before it says what it speaks is taken for away. */
const PROBE_MS = 5000;
/** What was read of an answer is handed on within milliseconds; a flood of notices takes longer. */
const CUT_AFTER_MS = 250;
/** A cancelled request is left open for so long, for the word of it to arrive first. */
const LINGER_MS = 1000;
const FAREWELL_MS = 1000;

/** Servers log it; it follows no release. */
const CLIENT_INFO = { name: 'holdpoint', version: '1' };
const AnyResult = z.looseObject({});
const GUARD = fileURLToPath(new URL('../../bin/keep-with-parent.mjs', import.meta.url));

/** Throws an OpeningError; `signal` bounds it. */
export async function openConnection(
  server: OpenableServer,
  signal: AbortSignal,
): Promise<McpConnection> {
  if ('url' in server) return openBy(httpTransport(server), 'auto', signal);
  try {
    return await openBy(processTransport(server.command), 'auto', signal);
  } catch (error) {
    // Some older servers end where they are asked first which version they speak.
    if (signal.aborted) throw error;
    return openBy(processTransport(server.command), 'legacy', signal);
  }
}

async function openBy(
  transport: Transport,
  mode: 'auto' | 'legacy',
  signal: AbortSignal,
): Promise<McpConnection> {
  const client = new Client(CLIENT_INFO, {
    capabilities: {},
    versionNegotiation: { mode, probe: { timeoutMs: PROBE_MS } },
    inputRequired: { autoFulfill: false },
  });
  // Each fault is that of a request, and is judged there.
  client.onerror = () => undefined;
  let closed = false;
  client.onclose = () => void (closed = true);
  const opening = newExchange();
  try {
    await currentExchange.run(opening, () => client.connect(transport, { signal }));
  } catch (error) {
    await client.close().catch(() => undefined);
    throw openingFailure(opening, error, signal);
  }
  const waiting = observe(transport, transport instanceof GuardedProcess);
  return {
    isClosed: () => closed,
    request: (request) => ask(client, transport, waiting, request),
    close: async () => {
      if (transport instanceof StreamableHTTPClientTransport)
        await withDeadline(transport.terminateSession(), FAREWELL_MS, () => undefined).catch(
          () => undefined,
        );
      await client.close().catch(() => undefined);
    },
  };
}

/** Why a server could not be connected to, in words without addresses. */
export class OpeningError extends Error {
  override readonly name = 'OpeningError';
}

function openingFailure(opening: Exchange, error: unknown, signal: AbortSignal): OpeningError {
  const stopped = signal.aborted ? 'it did not answer in time' : undefined;
  const answer = judge(opening, undefined, { error, stopped }, false);
  const why =
    answer.kind === 'NOT_SENT' || answer.kind === 'UNANSWERED'
      ? answer.why
      : answer.kind === 'STATUS'
        ? `it answered with the status ${answer.status}${answer.text === '' ? '' : `: ${answer.text.slice(0, 300)}`}`
        : 'it did not agree on a version of the protocol';
  return new OpeningError(why, { cause: error });
}

interface Waiting {
  readonly byId: Map<string | number, Exchange>;
  lastMessageAt: number;
}

/** Takes note of what goes over the wire, beside the SDK. */
function observe(transport: Transport, checksHere: boolean): Waiting {
  const waiting: Waiting = { byId: new Map(), lastMessageAt: 0 };
  const deliver = transport.onmessage;
  transport.onmessage = (message, extra) => {
    waiting.lastMessageAt = performance.now();
    if (!('method' in message) && message.id !== undefined) {
      const exchange = waiting.byId.get(message.id);
      if (exchange !== undefined) exchange.response = { ...message };
    }
    deliver?.(message, extra);
  };
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    const exchange = currentExchange.getStore();
    const own = exchange !== undefined && isRequest(message) ? exchange : undefined;
    if (own !== undefined && isRequest(message)) {
      own.id = message.id;
      waiting.byId.set(message.id, own);
    }
    if (own !== undefined && checksHere) {
      await lastCheck(own);
      own.sent = true;
    }
    return send(message, options);
  };
  return waiting;
}

type Request = JSONRPCMessage & { readonly id: string | number; readonly method: string };
const isRequest = (message: JSONRPCMessage): message is Request =>
  'method' in message && 'id' in message && message.id !== undefined;

async function ask(
  client: Client,
  transport: Transport,
  waiting: Waiting,
  request: McpRequest,
): Promise<McpAnswer> {
  const { timeoutMs, signal } = request;
  const cut = new AbortController();
  const deadline = AbortSignal.timeout(timeoutMs);
  const exchange = newExchange(request.beforeWrite);
  exchange.onCut = () => {
    const look = (): void => {
      if (exchange.resumable || exchange.response !== undefined) return;
      if (performance.now() - waiting.lastMessageAt < CUT_AFTER_MS) lookLater();
      else cut.abort();
    };
    const lookLater = (): unknown => setTimeout(look, CUT_AFTER_MS).unref();
    lookLater();
  };
  const hadSession = transport.sessionId !== undefined;
  let result: Readonly<Record<string, unknown>> | undefined;
  let failure: { error: unknown; stopped: string | undefined } | undefined;
  try {
    const stop = AbortSignal.any([signal, deadline, cut.signal]);
    result = await currentExchange.run(exchange, () => send(client, request, exchange, stop));
  } catch (error) {
    const stopped = signal.aborted
      ? 'it was cancelled'
      : deadline.aborted
        ? `no answer within ${timeoutMs} ms`
        : undefined;
    failure = { error, stopped };
  } finally {
    if (exchange.id !== undefined) waiting.byId.delete(exchange.id);
    // What was answered needs its connection no more; a cancelled one waits for the word of it.
    const over = (): void => exchange.over.abort();
    if (failure === undefined || exchange.response !== undefined) over();
    else setTimeout(over, LINGER_MS).unref();
  }
  if (exchange.refusal !== undefined) throw exchange.refusal.error;
  return judge(exchange, result, failure, hadSession);
}

function send(
  client: Client,
  { method, params, timeoutMs, onProgress, definition }: McpRequest,
  exchange: Exchange,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const options = {
    signal,
    // Ours is the deadline; this one is behind it.
    timeout: timeoutMs + 5000,
    onresumptiontoken: () => void (exchange.resumable = true),
    ...(onProgress === undefined
      ? {}
      : {
          onprogress: ({ progress, total }: { progress: number; total?: number | undefined }) =>
            onProgress(progress, total),
        }),
  };
  if (definition === undefined)
    return client.request({ method, params: { ...params } }, AnyResult, options);
  // What the output schema says of a result is the server's own promise to itself.
  const { name, inputSchema } = definition;
  const toolDefinition = { name, inputSchema: { ...inputSchema, type: 'object' as const } };
  return client.callTool({ ...params, name }, { ...options, toolDefinition });
}

/** Of the SDK's own transport a second process would be started each time, to ask for the version. */
class GuardedProcess extends StdioClientTransport {}

function processTransport(command: readonly string[]): Transport {
  // Its environment is the SDK's short list of what a program needs to start. The guard ends the
  // command when this process is gone, however it went.
  return new GuardedProcess({
    command: process.execPath,
    args: [GUARD, ...command],
    stderr: 'ignore',
  });
}

function httpTransport({ url, headers }: Extract<OpenableServer, { url: string }>): Transport {
  return new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { ...headers }, redirect: 'manual' },
    fetch: async (input, init) => {
      const { method = 'GET', body } = init ?? {};
      const sent = new Headers(init?.headers);
      // A stream for what a server may ask by itself: it would be declined. One that goes on with a
      // cut answer is another matter.
      if (method === 'GET' && !sent.has('last-event-id'))
        return new Response(null, { status: 405 });
      const text = typeof body === 'string' ? body : undefined;
      const exchange = exchangeOf(text);
      const stop = AbortSignal.any([
        ...(init?.signal ? [init.signal] : []),
        ...(exchange === undefined ? [] : [exchange.over.signal]),
      ]);
      return streamDeclared({
        ...{ url: new URL(input), method, headers: sent, body: text, signal: stop },
        maxBytes: ANSWER_MAX_BYTES,
        beforeWrite: exchange === undefined ? undefined : () => lastCheck(exchange),
        onSent: () => {
          if (exchange !== undefined) exchange.sent = true;
        },
        onStatus: (status, answered) => {
          if (exchange === undefined) return;
          exchange.status = status;
          const wants = authorizationWanted(status, answered);
          if (wants !== undefined) exchange.wants = wants;
        },
        onEnd: () => exchange?.onCut(),
      }).catch((error: unknown) => {
        if (exchange !== undefined && error instanceof BrokenError) exchange.broke = error.message;
        throw error;
      });
    },
  });
}

/** Of a request itself; a word of cancelling it, or an answer to the server, is none of its bytes. */
function exchangeOf(body: string | undefined): Exchange | undefined {
  const exchange = currentExchange.getStore();
  if (exchange === undefined || body === undefined) return undefined;
  const message = JSON.parse(body) as { readonly id?: unknown; readonly method?: unknown };
  const isOwn = exchange.id === undefined || message.id === exchange.id;
  return message.method !== undefined && message.id !== undefined && isOwn ? exchange : undefined;
}
