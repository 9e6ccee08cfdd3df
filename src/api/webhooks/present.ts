// The only way from a webhook and a delivery to JSON. The secret is shown by the route that makes
// it, once.

import type { Delivery, Webhook } from '../../contract/webhook.ts';
import type { DeliveryRecord } from '../../store/webhooks/deliveries.ts';
import type { WebhookRecord } from '../../store/webhooks/webhooks.ts';

export const presentWebhook = (w: WebhookRecord): Webhook => ({
  webhookId: w.webhookId,
  url: w.url,
  events: [...w.events],
  include: [...w.include],
  active: w.active,
  createdAt: w.createdAt.toISOString(),
});

export const presentDelivery = (d: DeliveryRecord): Delivery => ({
  deliveryId: d.deliveryId,
  event: d.event,
  ...(d.runId === null ? {} : { runId: d.runId }),
  status: d.status,
  attempts: d.attempts,
  ...(d.lastStatus === null ? {} : { lastStatus: d.lastStatus }),
  ...(d.lastError === null ? {} : { lastError: d.lastError }),
  createdAt: d.createdAt.toISOString(),
  ...(d.deliveredAt === null ? {} : { deliveredAt: d.deliveredAt.toISOString() }),
});
