// The second listener of API and worker: /metrics for Prometheus, /health/live and /health/ready for
// who starts them. No token: it listens on the loopback unless METRICS_HOST says otherwise, and shows
// names of agents, tools and models, and counts.

import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface ListenerParts {
  readonly host: string;
  readonly port: number;
  /** Takes any free port where that one is taken. */
  readonly mayMove: boolean;
  readonly registry: Registry;
  /** Brings what is read at each look up to date. */
  readonly look: () => Promise<void>;
  /** Problems as sentences without hosts, empty when ready. */
  readonly notReady: () => Promise<readonly string[]>;
}

export interface MetricsListener {
  readonly url: string;
  readonly close: () => Promise<void>;
}

export async function listenForMetrics(parts: ListenerParts): Promise<MetricsListener> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (isForeign(parts.host, request.headers))
      return answer(response, 403, 'This is served for the loopback address alone.');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(response, 405, 'Only GET is taken here.', { Allow: 'GET, HEAD' });
    serve(parts, path, response).catch(() => answer(response, 500, 'This could not be read.'));
  });
  const { host, port, mayMove } = parts;
  await listen(server, host, port).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE' && mayMove) return listen(server, host, 0);
    throw new Error(
      `Cannot listen on METRICS_PORT ${port} (${error.code ?? error.message}). Set another, or 0 for none.`,
    );
  });
  const at = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${at}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]', '::1'];

/**
 * A page whose own name was pointed at the loopback (DNS rebinding), or one that asks from another
 * origin. Beyond the loopback anything that reaches the port may read.
 */
function isForeign(listensAt: string, { host = '', origin }: IncomingHttpHeaders): boolean {
  if (!LOOPBACK.includes(listensAt)) return false;
  return origin !== undefined || !LOOPBACK.includes(host.replace(/:\d+$/, '').toLowerCase());
}

async function serve(
  { registry, look, notReady }: ListenerParts,
  path: string | undefined,
  response: ServerResponse,
): Promise<void> {
  if (path === '/health/live') return answer(response, 200, 'live');
  if (path === '/health/ready') {
    const problems = await notReady();
    return problems.length === 0
      ? answer(response, 200, 'ready')
      : answer(response, 503, problems.join(' '));
  }
  if (path !== '/metrics') return answer(response, 404, 'There are /metrics and /health here.');
  await look();
  response.writeHead(200, { 'Content-Type': registry.contentType });
  response.end(await registry.metrics());
}

function answer(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(`${text}\n`);
}

const listen = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
