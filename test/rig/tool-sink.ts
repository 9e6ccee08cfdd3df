// The receiver of HTTP tools: records every delivery, and behaves as the call's argument `mode`
// says: slow:MS (answers late) · drop (takes it, breaks the connection) · hang (never answers) ·
// fail:STATUS · big:BYTES · anything else: 200.

import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodyOf, serve } from './http-server.ts';

export interface Delivery {
  readonly n: number;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /** The parsed JSON body; the query where there was none. */
  readonly args: Readonly<Record<string, unknown>>;
  readonly idempotencyKey: string | undefined;
  readonly atMs: number;
}
export interface ToolSink {
  readonly url: string;
  readonly deliveries: readonly Delivery[];
  /** Resolves once the n-th delivery (from 1) has arrived. */
  readonly delivery: (n: number) => Promise<Delivery>;
  readonly close: () => Promise<void>;
}

export async function startToolSink(): Promise<ToolSink> {
  const deliveries: Delivery[] = [];
  const waiters = new Set<() => void>();
  const server = await serve(async (request, response) => {
    const text = await bodyOf(request);
    const url = new URL(request.url ?? '/', 'http://sink');
    const query = Object.fromEntries(url.searchParams);
    const args: Record<string, unknown> =
      text === '' ? query : (JSON.parse(text) as Record<string, unknown>);
    const key = request.headers['idempotency-key'];
    deliveries.push({
      n: deliveries.length + 1,
      method: request.method ?? '',
      path: url.pathname,
      query,
      headers: request.headers,
      args,
      idempotencyKey: typeof key === 'string' ? key : undefined,
      atMs: Date.now(),
    });
    const n = deliveries.length;
    for (const wake of waiters) wake();
    const [mode, number] = String(args['mode'] ?? '').split(':');
    if (mode === 'drop') return void response.socket?.destroy();
    if (mode === 'hang') return void (await new Promise((done) => response.once('close', done)));
    if (mode === 'slow') await sleep(Number(number));
    if (mode === 'big') return void response.end('x'.repeat(Number(number)));
    response.statusCode = mode === 'fail' ? Number(number) : 200;
    response.end(response.statusCode >= 400 ? `refused ${n}` : `done ${n}`);
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    deliveries,
    delivery: (n) =>
      new Promise((resolve) => {
        const look = (): void => {
          const there = deliveries[n - 1];
          if (there === undefined) return;
          waiters.delete(look);
          resolve(there);
        };
        waiters.add(look);
        look();
      }),
    close: server.close,
  };
}
