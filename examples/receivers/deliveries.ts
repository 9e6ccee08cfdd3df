// Takes deliveries of webhooks: verifies each as Standard Webhooks asks, hands it on, and answers
// so that what could not be told comes again. Needs the package `standardwebhooks`.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import type { WebhookBody } from '../../src/contract/webhook.ts';

/** Throws where the delivery could not be told: it then comes again under the same id. */
export type Tell = (body: WebhookBody, deliveryId: string) => Promise<void>;
export type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Far above any delivery: arguments and answers are bounded. */
const BODY_MAX_BYTES = 16 * 1024 * 1024;
/** Ids told by this process. After a restart, a repeated delivery is told a second time. */
const REMEMBERED_MAX = 10_000;

export function takesDeliveries(secret: string, tell: Tell): Handle {
  const scheme = new Webhook(secret);
  const told = new Set<string>();
  return async (request, response) => {
    const text = await textOf(request);
    try {
      scheme.verify(text, request.headers as Record<string, string>);
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      response.writeHead(401).end();
      return;
    }
    const id = String(request.headers['webhook-id']);
    if (!told.has(id)) {
      try {
        await tell(JSON.parse(text) as WebhookBody, id);
      } catch (error) {
        console.error(
          'a delivery could not be told:',
          error instanceof Error ? error.message : error,
        );
        response.writeHead(502).end();
        return;
      }
      told.add(id);
      const [oldest] = told;
      if (told.size > REMEMBERED_MAX && oldest !== undefined) told.delete(oldest);
    }
    response.writeHead(204).end();
  };
}

/** The body as it came: signatures are over its bytes, so it is read before it is parsed. */
export async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > BODY_MAX_BYTES) throw new Error('the body is too large');
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString();
}

/** One line for people; characters that show nothing, or turn text around, are shown by number. */
export const visible = (text: string): string =>
  text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);

/** What a delivery says, in a sentence. */
export function sentenceOf(body: WebhookBody): string {
  const { type, data } = body;
  if (type === 'test') return 'A trial: deliveries arrive here.';
  const run = `${data.agentId} for ${data.userId}`;
  switch (type) {
    case 'run.paused':
      return `${run} waits for a decision: ${namesOf(data.pending)}`;
    case 'approval.expiring':
      return `${run}: the time to decide is nearly over: ${namesOf(data.pending)}`;
    case 'approval.decided':
      return `${run}: ${data.name ?? 'a call'} was decided: ${data.decision?.action ?? 'see the page'} by ${data.decision?.by.join(', ') ?? 'somebody'}`;
    case 'run.waiting':
      return `${run} waits for its model.`;
    case 'run.settled':
      return `${run}: ${data.status}${data.error === undefined ? '' : ` (${data.error.code})`}`;
  }
}

const namesOf = (pending: readonly { readonly name: string }[] = []): string =>
  pending.map((call) => call.name).join(', ');
