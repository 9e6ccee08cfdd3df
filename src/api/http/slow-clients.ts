// The HTTP server as far as it is not koa's: clients that hold a socket without using it are cut,
// and what node would answer by itself, before any layer of ours, is a problem like every other.

import { randomUUID } from 'node:crypto';
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError } from '../../contract/errors.ts';
import { problemOf } from './problem.ts';

/** Headers not whole, or a socket without a request, after 5 s: looked at every second. */
const HEADERS_TIMEOUT_MS = 5000;
const CHECK_EVERY_MS = 1000;
/**
 * Slower than any line that a body of 28 MiB is worth waiting for: at this pace it takes half an
 * hour.
 */
const PACE_BYTES = 64 * 1024;
const PACE_WINDOW_S = 5;
/** For the refusal to be written, if the client reads at all. */
const LAST_WORDS_MS = 500;

/** Of a body, after its answer. */
const REST_MS = 2000;
/** Between two looks at a connection without a request. */
const IDLE_LOOK_MS = 5000;

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * Calls `onSlow` once, if fewer than 64 KiB came in any five seconds before the body was whole.
 * Returns how to stop watching.
 */
export function watchPace(req: IncomingMessage, onSlow: () => void): () => void {
  if (!hasBody(req) || req.complete) return () => undefined;
  const seen = [req.socket.bytesRead];
  const timer = setInterval(() => {
    if (req.complete || req.socket.destroyed) return clearInterval(timer);
    seen.push(req.socket.bytesRead);
    if (seen.length <= PACE_WINDOW_S) return;
    const [before = 0] = seen.splice(0, seen.length - PACE_WINDOW_S);
    if (req.socket.bytesRead - before >= PACE_BYTES) return;
    clearInterval(timer);
    onSlow();
  }, 1000);
  timer.unref();
  return () => clearInterval(timer);
}

export interface ConnectionLimits {
  readonly keepAliveMs: number;
  readonly maxConnections: number;
}

export function createGuardedServer(
  handle: RequestListener,
  { keepAliveMs, maxConnections }: ConnectionLimits,
): Server {
  const server = createServer(
    {
      // Node's own clock of it begins again with every byte; createIdleWatch's does not.
      keepAliveTimeout: keepAliveMs,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      // A stream or a long wait is one request; bodies have the pace.
      requestTimeout: 0,
      requireHostHeader: false,
    },
    (req, res) => {
      if (req.headers.host === undefined && req.httpVersion === '1.1')
        refuse(res, 400, 'This is not valid HTTP: the Host header is missing.');
      else handle(req, res);
    },
  );
  server.maxConnections = maxConnections;
  const idle = createIdleWatch(keepAliveMs);
  server.on('request', (req, res: ServerResponse) => {
    idle.begins(req.socket);
    res.once('close', () => {
      idle.ends(req.socket);
      // Answered, and the body still comes: it is not read any more. For a client that wants to know
      // what it was answered there is time to read it.
      if (!req.complete) setTimeout(() => req.complete || req.socket.destroy(), REST_MS).unref();
    });
    // Also a body that is not read: an answer may have been given before it came.
    watchPace(req, () =>
      setTimeout(() => req.complete || req.socket.destroy(), LAST_WORDS_MS).unref(),
    );
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
    socket.end(rawProblem(...(BY_CODE[error.code ?? ''] ?? [400, 'This is not valid HTTP.'])));
  });
  // Any other than 100-continue, which node answers: no other is expected here.
  server.on('checkExpectation', (_req, res: ServerResponse) => {
    refuse(res, 417, 'This expectation cannot be met; leave the Expect header out.');
  });
  return server;
}

interface IdleWatch {
  readonly begins: (socket: Socket) => void;
  readonly ends: (socket: Socket) => void;
}

/**
 * A connection that is kept has until `keepAliveMs` for its next request, even if it sends other bytes;
 * one that sends something which is still no request at the second look is doing nothing useful.
 */
function createIdleWatch(keepAliveMs: number): IdleWatch {
  const open = new WeakMap<Socket, { requests: number; timer?: NodeJS.Timeout }>();
  function watch(socket: Socket): NodeJS.Timeout {
    const before = socket.bytesRead;
    const since = performance.now();
    let answered = false;
    const timer = setInterval(
      () => {
        const over = performance.now() - since >= keepAliveMs;
        if (socket.destroyed) return clearInterval(timer);
        if (over || answered) socket.destroy();
        answered = socket.bytesRead > before;
      },
      Math.min(IDLE_LOOK_MS, keepAliveMs),
    );
    return timer.unref();
  }
  return {
    begins: (socket) => {
      const state = open.get(socket) ?? { requests: 0 };
      state.requests++;
      clearInterval(state.timer);
      open.set(socket, state);
    },
    ends: (socket) => {
      const state = open.get(socket);
      if (state === undefined || --state.requests > 0 || socket.destroyed) return;
      state.timer = watch(socket);
    },
  };
}

const BY_CODE: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The address or the headers are too long: at most 16 KiB together.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The extensions of a chunk are too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The headers did not arrive in time.'],
};

function refuse(res: ServerResponse, code: number, detail: string): void {
  const { status, head, body } = problem(code, detail);
  res.writeHead(status, head).end(body);
}

function problem(
  status: number,
  detail: string,
): { status: number; head: Record<string, string | number>; body: string } {
  const requestId = randomUUID();
  const problem = { ...problemOf(new AppError('INVALID_REQUEST', detail), requestId), status };
  const body = `${JSON.stringify(problem)}\n`;
  const head = {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'X-Request-Id': requestId,
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    Connection: 'close',
  };
  return { status, head, body };
}

function rawProblem(code: number, detail: string): string {
  const { status, head, body } = problem(code, detail);
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`;
}
