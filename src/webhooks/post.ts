// One attempt to deliver: signed, sent to a public address, and what came of it.

import { postPublic, type PostAnswer } from '../egress/post-public.ts';
import { publicAddresses } from '../egress/public-address.ts';
import type { DeliveryOutcome, LeasedDelivery } from '../store/webhooks/queue.ts';
import { deliveryBody } from './body.ts';
import { signedHeaders } from './sign.ts';

export interface PostOptions {
  readonly egressAllow: readonly string[];
  /** undefined: the address that the process knew which made the webhook. */
  readonly publicUrl: string | undefined;
  /** The contract's ten seconds; shorter in tests. */
  readonly timeoutMs?: number;
}

const ATTEMPT_MS = 10_000;

/** `stop`: an attempt that it cuts is left to another process. */
export type Post = (delivery: LeasedDelivery, stop: AbortSignal) => Promise<DeliveryOutcome>;

export function createPost({ egressAllow, publicUrl, timeoutMs = ATTEMPT_MS }: PostOptions): Post {
  const addresses = publicAddresses(egressAllow);
  return async (delivery, stop) => {
    const body = JSON.stringify(deliveryBody(delivery, publicUrl ?? delivery.pageUrl));
    const answer = await postPublic({
      url: delivery.url,
      addresses,
      headers: signedHeaders(delivery.secret, delivery.deliveryId, body),
      body,
      timeoutMs,
      signal: stop,
    });
    return outcomeOf(delivery, answer, stop.aborted);
  };
}

export const failed = (
  { deliveryId, webhookId, attempt }: LeasedDelivery,
  status: number | null,
  error: string,
): DeliveryOutcome => ({ deliveryId, webhookId, attempt, kind: 'FAILED', status, error });

function outcomeOf(delivery: LeasedDelivery, answer: PostAnswer, cut: boolean): DeliveryOutcome {
  const { deliveryId, webhookId, attempt } = delivery;
  const of = { deliveryId, webhookId, attempt };
  if (answer.kind !== 'ANSWER')
    return cut
      ? { ...of, kind: 'RETURNED', status: null, error: null }
      : failed(delivery, null, answer.why);
  const { status } = answer;
  if (status >= 200 && status < 300) return { ...of, kind: 'DELIVERED', status, error: null };
  const redirects = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  const error = `the receiver answered ${status}${redirects}`;
  return { ...failed(delivery, status, error), kind: status === 410 ? 'GONE' : 'FAILED' };
}
