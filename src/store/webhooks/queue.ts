// Deliveries on their way: leased by one process at a time, and what came of each. The lease of a
// process that died ends by itself; the delivery is then sent again, under the same id.

import { sql } from 'kysely';
import type { DeliveredEvent } from '../../contract/webhook.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { RecordAtEvent } from './new-deliveries.ts';

export interface LeasedDelivery {
  readonly deliveryId: string;
  readonly webhookId: string;
  readonly orgId: string;
  readonly event: DeliveredEvent;
  /** Counts up with each lease: an outcome is of one of them. */
  readonly attempt: number;
  readonly url: string;
  readonly secret: string;
  readonly pageUrl: string;
  /** Of a `test` there is no run. */
  readonly record: RecordAtEvent | { readonly orgId: string };
  readonly createdAt: Date;
}

/** Longer than an attempt takes (10 s) and its outcome needs to be written. */
const LEASE_SECONDS = 30;
const FIRST_BACK_OFF_SECONDS = 5;
const LONGEST_BACK_OFF_SECONDS = 7200;

/** `rooms`: how many of one webhook may be taken where that is not `room`. `last`: those that fail. */
export interface LeaseRooms {
  readonly most: number;
  readonly room: number;
  readonly rooms: Readonly<Record<string, number>>;
  readonly last: readonly string[];
}

/**
 * Those that are due, a few of each webhook, so that no backlog of one keeps another's line
 * waiting.
 */
export async function leaseDeliveries(
  tx: StoreTransaction,
  { most, room, rooms, last }: LeaseRooms,
): Promise<readonly LeasedDelivery[]> {
  const { rows } = await sql<LeasedDelivery>`
    update webhook_deliveries d set claimed_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS}),
      attempts = d.attempts + 1, tries = d.tries + 1
    from webhooks w
    where w.webhook_id = d.webhook_id and d.delivery_id in (
      select due.delivery_id from webhooks h cross join lateral (
        select x.delivery_id, x.next_at from webhook_deliveries x
        where x.webhook_id = h.webhook_id and x.status = 'PENDING' and x.next_at <= clock_timestamp()
          and (x.claimed_until is null or x.claimed_until < clock_timestamp())
        order by x.next_at limit coalesce((${JSON.stringify(rooms)}::jsonb->>h.webhook_id)::int, ${room}::int) for update skip locked
      ) due
      where h.active
      order by h.webhook_id = any(${last}), due.next_at limit ${most}
    )
    returning d.delivery_id as "deliveryId", d.webhook_id as "webhookId", d.org_id as "orgId", d.event, d.attempts as attempt,
      w.url, w.secret, w.page_url as "pageUrl", d.record, d.created_at as "createdAt"`.execute(
    tx.db,
  );
  return rows;
}

export interface DeliveryOutcome {
  readonly deliveryId: string;
  readonly webhookId: string;
  readonly attempt: number;
  /** RETURNED: the process was asked to stop meanwhile; another sends it at once. */
  readonly kind: 'DELIVERED' | 'FAILED' | 'GONE' | 'RETURNED';
  readonly status: number | null;
  readonly error: string | null;
}

/**
 * A failure of an attempt that another has overtaken says nothing; what was delivered is delivered,
 * later ones.
 */
export async function recordOutcomes(
  tx: StoreTransaction,
  outcomes: readonly DeliveryOutcome[],
): Promise<void> {
  if (outcomes.length === 0) return;
  const gone = outcomes.filter(({ kind }) => kind === 'GONE').map(({ webhookId }) => webhookId);
  await sql`
    update webhook_deliveries d set
      status = case when o.kind = 'DELIVERED' then 'DELIVERED'
        when o.kind = 'GONE' or (o.kind = 'FAILED' and d.give_up_at <= clock_timestamp()) then 'FAILED' else 'PENDING' end,
      delivered_at = case when o.kind = 'DELIVERED' then date_trunc('milliseconds', clock_timestamp()) else d.delivered_at end,
      last_status = o.status, last_error = o.error, claimed_until = null,
      next_at = case when o.kind = 'FAILED' then least(d.give_up_at, clock_timestamp() + make_interval(secs =>
          least(${LONGEST_BACK_OFF_SECONDS}::int, ${FIRST_BACK_OFF_SECONDS}::int * power(2, least(greatest(d.tries, 1) - 1, 30)))))
        else clock_timestamp() end
    from jsonb_to_recordset(${JSON.stringify(outcomes)}::jsonb) as o("deliveryId" text, attempt int, kind text, status int, error text)
    where d.delivery_id = o."deliveryId" and (o.kind = 'DELIVERED' or (d.status = 'PENDING' and d.attempts = o.attempt))`.execute(
    tx.db,
  );
  if (gone.length === 0) return;
  await sql`update webhooks set active = false where webhook_id = any(${gone})`.execute(tx.db);
  await giveUpInactive(tx);
}

/** What waits for a receiver that answered 410; also what was written at that very moment. */
export async function giveUpInactive(tx: StoreTransaction): Promise<void> {
  await sql`
    update webhook_deliveries d set status = 'FAILED', claimed_until = null, last_error = 'the webhook is inactive: its receiver answered 410'
    from webhooks w where w.webhook_id = d.webhook_id and not w.active and d.status = 'PENDING'`.execute(
    tx.db,
  );
}
