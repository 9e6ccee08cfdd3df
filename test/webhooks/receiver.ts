// A receiver of webhooks that checks each request as the scheme's own library does, and answers as
// it is told: a status, never ('hang'), or by breaking the connection ('cut').

import type { IncomingHttpHeaders } from 'node:http';
import { Webhook } from 'standardwebhooks';
import type { WebhookBody } from '../../src/contract/webhook.ts';
import { bodyOf, serve } from '../rig/http-server.ts';

export interface Hit {
  readonly id: string;
  readonly atMs: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: WebhookBody;
}

export type Mode = number | 'hang' | 'cut' | { readonly redirect: string };

export interface Receiver {
  readonly url: string;
  readonly hits: readonly Hit[];
  readonly say: (mode: Mode) => void;
  /** Throws what the library refuses. */
  readonly verify: (secret: string, hit: Hit) => void;
  readonly close: () => Promise<void>;
}

export async function startReceiver(port = 0): Promise<Receiver> {
  const hits: Hit[] = [];
  let mode: Mode = 204;
  const server = await serve(async (request, response) => {
    const text = await bodyOf(request);
    hits.push({
      id: String(request.headers['webhook-id']),
      atMs: Date.now(),
      headers: request.headers,
      text,
      body: JSON.parse(text) as WebhookBody,
    });
    if (mode === 'hang') return;
    if (mode === 'cut') return void request.socket.destroy();
    if (typeof mode === 'object') response.writeHead(302, { location: mode.redirect }).end();
    else response.writeHead(mode).end();
  }, port);
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    hits,
    say: (next) => {
      mode = next;
    },
    verify: (secret, { text, headers }) => {
      new Webhook(secret).verify(text, headers as Record<string, string>);
    },
    close: server.close,
  };
}
