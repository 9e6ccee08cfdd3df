// An org's webhooks and what became of their deliveries, for its admins. One of another org is one
// that is not there.

import { z } from 'zod';
import { v7 } from 'uuid';
import { AppError, fieldRefused } from '../../contract/errors.ts';
import {
  DeliveryPageSchema,
  MadeWebhookSchema,
  NewWebhookSchema,
  SentDeliverySchema,
  WebhookPageSchema,
  WebhookSchema,
} from '../../contract/webhook.ts';
import { publicAddresses } from '../../egress/public-address.ts';
import type { StoreTransaction } from '../../store/database/access.ts';
import { addTrial, listDeliveries, retryDelivery } from '../../store/webhooks/deliveries.ts';
import {
  createWebhook,
  deleteWebhook,
  findWebhook,
  listWebhooks,
  WEBHOOKS_MAX,
  type WebhookRecord,
} from '../../store/webhooks/webhooks.ts';
import { newSecret } from '../../webhooks/sign.ts';
import type { AppDeps } from '../deps.ts';
import { defineCursor, pageAnswer, pageNote, pageQuery, wanted } from '../http/page.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { presentDelivery, presentWebhook } from './present.ts';

const Id = z.string().min(1).max(100);
const WEBHOOKS_CURSOR = defineCursor('webhooks', [Id]);
const DELIVERIES_CURSOR = defineCursor('deliveries', [Id]);
const WebhooksQuery = z.strictObject(pageQuery(WEBHOOKS_CURSOR));
const DeliveriesQuery = z.strictObject(pageQuery(DELIVERIES_CURSOR));

const PATH = '/api/webhooks';
/** Room for the address and the few names that a body may hold. */
const WEBHOOK_BODY_MAX_BYTES = 16_384;

const noSuchWebhook = (): AppError => new AppError('NOT_FOUND', 'There is no such webhook.');

async function found(
  tx: StoreTransaction,
  orgId: string,
  webhookId: string,
): Promise<WebhookRecord> {
  const webhook = await findWebhook(tx, orgId, webhookId);
  if (webhook === undefined) throw noSuchWebhook();
  return webhook;
}

/** To an inactive one nothing is sent, so nothing can be asked for. */
async function foundActive(tx: StoreTransaction, orgId: string, webhookId: string): Promise<void> {
  if ((await found(tx, orgId, webhookId)).active) return;
  throw new AppError(
    'INVALID_REQUEST',
    'This webhook is inactive, because its receiver answered 410. Make a new one, and delete this.',
  );
}

export const webhookRoutes = (deps: AppDeps): readonly Route[] => [
  createWebhookRoute(deps),
  ...readingRoutes(deps),
  listDeliveriesRoute(deps),
  ...sendingRoutes(deps),
];

type Deps = Pick<AppDeps, 'store' | 'egressAllow' | 'pageUrl'>;

function createWebhookRoute({ store, egressAllow = [], pageUrl = () => '' }: Deps): Route {
  const addresses = publicAddresses(egressAllow);
  return defineRoute({
    method: 'POST',
    path: PATH,
    scope: 'admin',
    id: 'createWebhook',
    tag: 'webhooks',
    summary: 'Have the org’s events sent somewhere',
    description:
      'Deliveries follow Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`, with the body of the schema `WebhookBody`. Any 2xx within ten seconds is delivered; all else, redirects too, is tried again under the same id for 24 hours. 410 makes the webhook inactive. The address must be a public one, unless the deployment allows it.',
    answers: {
      201: {
        description: 'Made. The secret is shown here and nowhere else.',
        schema: MadeWebhookSchema,
        headers: ['Location'],
      },
    },
    body: { schema: NewWebhookSchema, maxBytes: WEBHOOK_BODY_MAX_BYTES },
    handle: async ({ caller, body }) => {
      const problem = addresses.problem(body.url);
      if (problem !== undefined) throw fieldRefused('url', problem);
      const secret = newSecret();
      const webhook = {
        webhookId: `wh_${v7()}`,
        orgId: caller.orgId,
        url: body.url,
        events: body.events,
        include: body.include ?? [],
        secret,
        pageUrl: pageUrl(),
        createdBy: caller.subject,
      };
      const made = await store.asOrg(caller.orgId, (tx) => createWebhook(tx, webhook));
      if (made === undefined)
        throw new AppError(
          'INVALID_REQUEST',
          `An org has at most ${WEBHOOKS_MAX} webhooks. Delete one that is not needed.`,
        );
      return {
        status: 201,
        headers: { Location: `${PATH}/${made.webhookId}` },
        body: { ...presentWebhook(made), secret },
      };
    },
  });
}

const readingRoutes = ({ store }: Deps): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: PATH,
    scope: 'admin',
    id: 'listWebhooks',
    tag: 'webhooks',
    summary: 'The org’s webhooks, newest first',
    answers: { 200: pageNote(WebhookPageSchema) },
    query: WebhooksQuery,
    handle: async ({ caller, query }) => {
      const page = await store.asOrg(caller.orgId, (tx) =>
        listWebhooks(tx, caller.orgId, wanted(query)),
      );
      return pageAnswer(PATH, query, WEBHOOKS_CURSOR, page, presentWebhook);
    },
  }),
  defineRoute({
    method: 'GET',
    path: `${PATH}/:webhookId`,
    scope: 'admin',
    id: 'readWebhook',
    tag: 'webhooks',
    summary: 'A webhook',
    answers: { 200: { description: 'The webhook.', schema: WebhookSchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, param }) => {
      const webhook = await store.asOrg(caller.orgId, (tx) =>
        found(tx, caller.orgId, param('webhookId')),
      );
      return { status: 200, body: presentWebhook(webhook) };
    },
  }),
  defineRoute({
    method: 'DELETE',
    path: `${PATH}/:webhookId`,
    scope: 'admin',
    id: 'deleteWebhook',
    tag: 'webhooks',
    summary: 'Delete a webhook with its deliveries',
    description: 'What is not yet delivered is not sent any more.',
    answers: { 204: { description: 'It is gone.' } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, param }) => {
      const { orgId, subject } = caller;
      const gone = await store.asOrg(orgId, (tx) =>
        deleteWebhook(tx, orgId, param('webhookId'), subject),
      );
      if (!gone) throw noSuchWebhook();
      return { status: 204 };
    },
  }),
];

const listDeliveriesRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: `${PATH}/:webhookId/deliveries`,
    scope: 'admin',
    id: 'listDeliveries',
    tag: 'webhooks',
    summary: 'What was sent, newest first',
    answers: { 200: pageNote(DeliveryPageSchema) },
    refusals: ['NOT_FOUND'],
    query: DeliveriesQuery,
    handle: async ({ caller, query, param }) => {
      const webhookId = param('webhookId');
      const page = await store.asOrg(caller.orgId, async (tx) => {
        await found(tx, caller.orgId, webhookId);
        return listDeliveries(tx, webhookId, wanted(query));
      });
      return pageAnswer(
        `${PATH}/${webhookId}/deliveries`,
        query,
        DELIVERIES_CURSOR,
        page,
        presentDelivery,
      );
    },
  });

const sendingRoutes = ({ store }: Deps): readonly Route[] => [
  defineRoute({
    method: 'POST',
    path: `${PATH}/:webhookId/deliveries/:deliveryId/retry`,
    scope: 'admin',
    id: 'retryDelivery',
    tag: 'webhooks',
    summary: 'Send a delivery once more',
    description:
      'Under its id and with its body, whatever came of it before; it is tried for 24 hours again.',
    answers: { 202: { description: 'It is going to be sent.', schema: SentDeliverySchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, param }) => {
      await store.asOrg(caller.orgId, async (tx) => {
        await foundActive(tx, caller.orgId, param('webhookId'));
        if (!(await retryDelivery(tx, param('webhookId'), param('deliveryId'))))
          throw new AppError('NOT_FOUND', 'There is no such delivery of this webhook.');
      });
      return { status: 202, body: { deliveryId: param('deliveryId') } };
    },
  }),
  defineRoute({
    method: 'POST',
    path: `${PATH}/:webhookId/test`,
    scope: 'admin',
    id: 'testWebhook',
    tag: 'webhooks',
    summary: 'Send a trial',
    description: 'An event `test`, signed and listed like any other.',
    answers: { 202: { description: 'It is going to be sent.', schema: SentDeliverySchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, param }) => {
      const deliveryId = `msg_${v7().replaceAll('-', '')}`;
      await store.asOrg(caller.orgId, async (tx) => {
        await foundActive(tx, caller.orgId, param('webhookId'));
        if (!(await addTrial(tx, caller.orgId, param('webhookId'), deliveryId)))
          throw noSuchWebhook();
      });
      return { status: 202, body: { deliveryId } };
    },
  }),
];
