// An org's webhooks, made, listed and deleted by its admins. The secret is written here and read by
// the sender alone.

import { sql } from 'kysely';
import type { WebhookEvent, WebhookInclude } from '../../contract/webhook.ts';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { listed, type Listed, type PageWanted } from '../queries/run-lists.ts';

export interface WebhookRecord {
  readonly webhookId: string;
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  readonly include: readonly WebhookInclude[];
  readonly active: boolean;
  readonly createdAt: Date;
}

export interface NewWebhook extends Pick<
  WebhookRecord,
  'webhookId' | 'url' | 'events' | 'include'
> {
  readonly orgId: string;
  readonly secret: string;
  /** Where people reach the page, as the process knows it that made the webhook. */
  readonly pageUrl: string;
  readonly createdBy: string;
}

/** Every event is written once for each: a mistake in a script must not make each run dear. */
export const WEBHOOKS_MAX = 100;

const COLUMNS = sql`webhook_id as "webhookId", url, events, include, active, created_at as "createdAt"`;

/** undefined: the org has as many as it may have. */
export async function createWebhook(
  tx: StoreTransaction,
  w: NewWebhook,
): Promise<WebhookRecord | undefined> {
  const { rows } = await sql<WebhookRecord>`
    insert into webhooks (webhook_id, org_id, url, events, include, secret, page_url, created_by)
    select ${w.webhookId}, ${w.orgId}, ${w.url}, ${JSON.stringify(w.events)}::jsonb, ${JSON.stringify(w.include)}::jsonb, ${w.secret},
      ${w.pageUrl}, ${w.createdBy}
    where (select count(*) from webhooks where org_id = ${w.orgId} and webhook_id <> ${w.webhookId}) < ${WEBHOOKS_MAX}
    on conflict (webhook_id) do update set url = excluded.url
    returning ${COLUMNS}`.execute(tx.db);
  const made = rows[0];
  if (made !== undefined)
    audit(tx, {
      orgId: w.orgId,
      actor: w.createdBy,
      action: 'webhook.created',
      data: { webhookId: w.webhookId, events: w.events, include: w.include },
    });
  return made;
}

/** Newest first. */
export async function listWebhooks(
  tx: StoreTransaction,
  orgId: string,
  page: PageWanted,
): Promise<Listed<WebhookRecord>> {
  const after =
    page.after === undefined
      ? sql``
      : sql`and (created_at, webhook_id) < (${page.after.at}::timestamptz, ${page.after.ids[0]}::text)`;
  const { rows } = await sql<WebhookRecord>`
    select ${COLUMNS} from webhooks where org_id = ${orgId} ${after}
    order by created_at desc, webhook_id desc limit ${page.limit + 1}`.execute(tx.db);
  return listed(rows, page, (w) => ({ at: w.createdAt, ids: [w.webhookId] }));
}

export async function findWebhook(
  tx: StoreTransaction,
  orgId: string,
  webhookId: string,
): Promise<WebhookRecord | undefined> {
  const { rows } = await sql<WebhookRecord>`
    select ${COLUMNS} from webhooks where org_id = ${orgId} and webhook_id = ${webhookId}`.execute(
    tx.db,
  );
  return rows[0];
}

/** With its deliveries, those under way included; false where there is none. */
export async function deleteWebhook(
  tx: StoreTransaction,
  orgId: string,
  webhookId: string,
  actor: string,
): Promise<boolean> {
  const deleted = await tx.db
    .deleteFrom('webhooks')
    .where('org_id', '=', orgId)
    .where('webhook_id', '=', webhookId)
    .returning('webhook_id')
    .executeTakeFirst();
  if (deleted === undefined) return false;
  audit(tx, { orgId, actor, action: 'webhook.deleted', data: { webhookId } });
  return true;
}
