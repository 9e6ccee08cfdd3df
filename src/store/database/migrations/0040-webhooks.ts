// Webhooks of orgs, one line for each delivery, and which pauses were said to be expiring. A secret
// is kept as it is: each delivery is signed with it.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

export const webhooks = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `
create table webhooks (
  webhook_id text primary key,
  org_id text not null,
  url text not null,
  events jsonb not null,
  include jsonb not null,
  secret text not null,
  page_url text not null,
  active boolean not null default true,
  created_by text not null,
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
);
create index webhooks_by_time on webhooks (org_id, created_at desc, webhook_id desc);

create table webhook_deliveries (
  delivery_id text primary key,
  webhook_id text not null references webhooks on delete cascade,
  org_id text not null,
  run_id text references runs on delete cascade,
  event text not null,
  event_key text not null,
  record jsonb not null,
  status text not null default 'PENDING' check (status in ('PENDING', 'DELIVERED', 'FAILED')),
  attempts int not null default 0,
  -- Of these, since it was written or somebody asked for it once more: the back-off goes by them.
  tries int not null default 0,
  last_status int,
  last_error text,
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  delivered_at timestamptz,
  next_at timestamptz not null default clock_timestamp(),
  give_up_at timestamptz not null,
  claimed_until timestamptz,
  unique (webhook_id, event_key)
);
create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_at) where status = 'PENDING';
create index webhook_deliveries_by_time on webhook_deliveries (webhook_id, created_at desc, delivery_id desc);
create index webhook_deliveries_by_run on webhook_deliveries (run_id);
create index webhook_deliveries_done on webhook_deliveries (created_at) where status <> 'PENDING';

alter table calls add column expiring_told text;
create index calls_expiring on calls (expires_at) where pause_id is not null and expires_at is not null;
` +
          protectTable('webhooks', 'select, insert, update, delete') +
          protectTable('webhook_deliveries', 'select, insert, update, delete'),
      )
      .execute(db);
  },
};
