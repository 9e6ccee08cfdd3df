// The lines of deliveries as an admin sees them: listed, asked for once more, a trial. Sending is
// queue.ts's and webhooks/sender.ts's.

import { sql } from 'kysely';
import type { DeliveredEvent, Delivery } from '../../contract/webhook.ts';
import type { StoreTransaction } from '../database/access.ts';
import { listed, type Listed, type PageWanted } from '../queries/run-lists.ts';
import { GIVE_UP_AFTER } from './new-deliveries.ts';

export interface DeliveryRecord {
  readonly deliveryId: string;
  readonly event: DeliveredEvent;
  readonly runId: string | null;
  readonly status: Delivery['status'];
  readonly attempts: number;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly createdAt: Date;
  readonly deliveredAt: Date | null;
}

/** Newest first. */
export async function listDeliveries(
  tx: StoreTransaction,
  webhookId: string,
  page: PageWanted,
): Promise<Listed<DeliveryRecord>> {
  const after =
    page.after === undefined
      ? sql``
      : sql`and (created_at, delivery_id) < (${page.after.at}::timestamptz, ${page.after.ids[0]}::text)`;
  const { rows } = await sql<DeliveryRecord>`
    select delivery_id as "deliveryId", event, run_id as "runId", status, attempts, last_status as "lastStatus", last_error as "lastError",
      created_at as "createdAt", delivered_at as "deliveredAt"
    from webhook_deliveries where webhook_id = ${webhookId} ${after}
    order by created_at desc, delivery_id desc limit ${page.limit + 1}`.execute(tx.db);
  return listed(rows, page, (d) => ({ at: d.createdAt, ids: [d.deliveryId] }));
}

/**
 * Once more under its id, at once, with its full time; one that is being sent at this moment is not
 * sent twice. False where there is none.
 */
export async function retryDelivery(
  tx: StoreTransaction,
  webhookId: string,
  deliveryId: string,
): Promise<boolean> {
  const { rows } = await sql`
    update webhook_deliveries set status = 'PENDING', tries = 0, next_at = clock_timestamp(),
      give_up_at = clock_timestamp() + ${GIVE_UP_AFTER}::interval
    where webhook_id = ${webhookId} and delivery_id = ${deliveryId} returning 1`.execute(tx.db);
  return rows.length > 0;
}

/** False where the webhook is gone meanwhile. */
export async function addTrial(
  tx: StoreTransaction,
  orgId: string,
  webhookId: string,
  deliveryId: string,
): Promise<boolean> {
  const { rows } = await sql`
    with w as (select webhook_id, org_id from webhooks where webhook_id = ${webhookId} and org_id = ${orgId} for key share)
    insert into webhook_deliveries (delivery_id, webhook_id, org_id, event, event_key, record, give_up_at)
    select ${deliveryId}, webhook_id, org_id, 'test', ${deliveryId}, jsonb_build_object('orgId', org_id),
      clock_timestamp() + ${GIVE_UP_AFTER}::interval from w
    on conflict (delivery_id) do update set event = excluded.event returning 1`.execute(tx.db);
  return rows.length > 0;
}
