// Webhooks as the API shows them, and the body of a delivery (Standard Webhooks). Field names are
// fixed. Runs' calls and decisions in them are those of run.ts.

import { z } from 'zod';
import { FAILURE_CODE, RUN_STATUS } from './names.ts';
import { pageOf } from './page.ts';
import { DecisionSchema, PendingCallSchema } from './run.ts';

const Timestamp = z.iso.datetime({ offset: true });

/** What a webhook can be asked for; a `test` comes when it is asked for, by any webhook. */
export const WEBHOOK_EVENT = [
  'run.paused',
  'run.settled',
  'run.waiting',
  'approval.decided',
  'approval.expiring',
] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENT)[number];
export type DeliveredEvent = WebhookEvent | 'test';

export const WEBHOOK_INCLUDE = ['conversation'] as const;
export type WebhookInclude = (typeof WEBHOOK_INCLUDE)[number];

const named = <T extends string>(names: readonly [T, ...T[]]) =>
  z
    .array(z.enum(names, `must be one of ${names.join(', ')}`))
    .max(names.length)
    .refine((list) => new Set(list).size === list.length, 'names one twice');

export const NewWebhookSchema = z
  .strictObject({
    url: z
      .string()
      .max(2048, 'must be at most 2048 characters long')
      .meta({ description: 'http or https, a public address.' }),
    events: named(WEBHOOK_EVENT).min(1, 'must name at least one event'),
    include: named(WEBHOOK_INCLUDE)
      .optional()
      .meta({ description: '`conversation`: the question and the answer too. Default: neither.' }),
  })
  .meta({ id: 'NewWebhook' });

const WebhookShape = {
  webhookId: z.string(),
  url: z.string(),
  events: z.array(z.enum(WEBHOOK_EVENT)),
  include: z.array(z.enum(WEBHOOK_INCLUDE)),
  active: z.boolean().meta({ description: 'False since its receiver answered 410.' }),
  createdAt: Timestamp,
};
export const WebhookSchema = z.object(WebhookShape).meta({ id: 'Webhook' });
export type Webhook = z.infer<typeof WebhookSchema>;
export const MadeWebhookSchema = z
  .object({
    ...WebhookShape,
    secret: z.string().meta({ description: '`whsec_` and base64. Shown once.' }),
  })
  .meta({ id: 'MadeWebhook' });
export const WebhookPageSchema = pageOf('WebhookPage', WebhookSchema);

export const DELIVERY_STATUS = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export const DeliverySchema = z
  .object({
    deliveryId: z.string(),
    event: z.enum([...WEBHOOK_EVENT, 'test']),
    runId: z.string().optional(),
    status: z.enum(DELIVERY_STATUS).meta({
      description: 'PENDING: it is tried until 24 hours are over. FAILED: it was given up.',
    }),
    attempts: z.int().nonnegative().meta({
      description: 'Begun ones; one whose process died may not have been sent.',
    }),
    lastStatus: z.int().optional(),
    lastError: z.string().optional().meta({ description: 'In words, without addresses.' }),
    createdAt: Timestamp,
    deliveredAt: Timestamp.optional(),
  })
  .meta({
    id: 'Delivery',
    description: 'One event to one webhook; its id is the `webhook-id` of every attempt.',
  });
export const SentDeliverySchema = z.object({ deliveryId: z.string() }).meta({ id: 'SentDelivery' });
export type Delivery = z.infer<typeof DeliverySchema>;
export const DeliveryPageSchema = pageOf('DeliveryPage', DeliverySchema);

/** Without what depends on who looks. */
const OpenCallSchema = PendingCallSchema.omit({ youMay: true, whyNot: true });

export const RunWebhookBodySchema = z.object({
  type: z.enum(WEBHOOK_EVENT),
  timestamp: Timestamp,
  data: z.object({
    orgId: z.string(),
    agentId: z.string(),
    runId: z.string(),
    sessionId: z.string(),
    userId: z.string(),
    status: z.enum(RUN_STATUS),
    pauseId: z.string().optional(),
    pending: z.array(OpenCallSchema).optional(),
    callId: z.string().optional(),
    name: z.string().optional(),
    decision: DecisionSchema.optional(),
    waitingFor: z.record(z.string(), z.unknown()).optional(),
    error: z.object({ code: z.enum(FAILURE_CODE), message: z.string() }).optional(),
    input: z.string().optional(),
    content: z.string().optional(),
    link: z.string(),
  }),
});

export const TestWebhookBodySchema = z.object({
  type: z.literal('test'),
  timestamp: Timestamp,
  data: z.object({ orgId: z.string(), webhookId: z.string(), link: z.string() }),
});
export const WebhookBodySchema = z
  .discriminatedUnion('type', [RunWebhookBodySchema, TestWebhookBodySchema])
  .meta({
    id: 'WebhookBody',
    description: 'What is sent. Calls, decisions and errors are those of a run.',
  });
export type WebhookBody = z.infer<typeof WebhookBodySchema>;
