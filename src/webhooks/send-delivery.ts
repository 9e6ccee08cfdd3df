// One attempt to deliver: a signed request to a public address, and what came of it.

import type { PublicAddresses } from '../egress/public-address.ts';
import { postPublic, type PostAnswer } from '../egress/post-public.ts';
import type { DeliveryOutcome, LeasedDelivery } from '../store/webhooks/queue.ts';
import { deliveryBody } from './body.ts';
import { signedHeaders } from './sign.ts';

export interface SendDeps {
  readonly addresses: PublicAddresses;
  /** undefined: as the process knew it that made the webhook. */
  readonly publicUrl: string | undefined;
  readonly timeoutMs: number;
  readonly log: { readonly warn: (o: object, m: string) => void };
}

/** RETURNED where `signal` cut it: another process sends it. */
export async function sendDelivery(
  { addresses, publicUrl, timeoutMs, log }: SendDeps,
  delivery: LeasedDelivery,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  try {
    const body = JSON.stringify(deliveryBody(delivery, publicUrl ?? delivery.pageUrl));
    const headers = signedHeaders(delivery.secret, delivery.deliveryId, body);
    const { url } = delivery;
    const answer = await postPublic({ url, addresses, headers, body, timeoutMs, signal });
    const outcome = outcomeOf(delivery, answer, signal.aborted);
    if (outcome.kind === 'GONE')
      log.warn(
        { webhookId: delivery.webhookId },
        'a webhook is inactive: its receiver answered 410',
      );
    return outcome;
  } catch (error) {
    log.warn({ err: error, deliveryId: delivery.deliveryId }, 'a webhook could not be sent');
    const { deliveryId, webhookId, attempt } = delivery;
    const why = 'it could not be sent';
    return { deliveryId, webhookId, attempt, kind: 'FAILED', status: null, error: why };
  }
}

const FAILED_WITH = 'the receiver answered';

function outcomeOf(
  { deliveryId, webhookId, attempt }: LeasedDelivery,
  answer: PostAnswer,
  cut: boolean,
): DeliveryOutcome {
  const of = { deliveryId, webhookId, attempt };
  if (answer.kind !== 'ANSWER')
    return cut
      ? { ...of, kind: 'RETURNED', status: null, error: null }
      : { ...of, kind: 'FAILED', status: null, error: answer.why };
  const { status } = answer;
  if (status >= 200 && status < 300) return { ...of, kind: 'DELIVERED', status, error: null };
  return {
    ...of,
    kind: status === 410 ? 'GONE' : 'FAILED',
    status,
    error: `${FAILED_WITH} ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`,
  };
}
