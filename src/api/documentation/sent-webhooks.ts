// The document's `webhooks`: what is sent rather than served.

import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { WebhookBodySchema } from '../../contract/webhook.ts';

export const SENT_WEBHOOKS: ZodOpenApiPathsObject = {
  delivery: {
    post: {
      tags: ['webhooks'],
      operationId: 'receiveWebhook',
      summary: 'A delivery, to the address of a webhook',
      description:
        'Signed by Standard Webhooks: verify `webhook-signature` over the body’s bytes, and take a `webhook-id` that was seen before as the same delivery.',
      requestBody: {
        required: true,
        content: { 'application/json': { schema: WebhookBodySchema } },
      },
      responses: {
        '2XX': { description: 'Received.' },
        '410': { description: 'Nothing is wanted here any more: the webhook becomes inactive.' },
      },
      security: [],
    },
  },
};
