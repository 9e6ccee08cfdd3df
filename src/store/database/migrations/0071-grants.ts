// Grants: a yes that counts for several calls, within bounds and for a while.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

const TABLES = `
create table grants (
  grant_id text primary key,
  org_id text not null,
  agent_id text not null,
  tool text not null,
  -- Hash of the tool as the agent file declared it: another tool is not covered.
  definition text not null,
  condition text not null,
  max_uses int not null check (max_uses > 0),
  sum_field text,
  max_sum double precision,
  -- null: any user's runs.
  user_id text,
  reason text not null,
  -- How many people have to give it.
  quorum int not null,
  uses int not null default 0 check (uses <= max_uses),
  used_sum double precision not null default 0 check (max_sum is null or used_sum <= max_sum),
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  expires_at timestamptz not null,
  -- Once as many have given it as it needs.
  active_at timestamptz,
  revoked_at timestamptz,
  revoked_by text
);
create index grants_by_tool on grants (org_id, agent_id, tool) where revoked_at is null;
create index grants_by_time on grants (org_id, created_at, grant_id);
create table grant_givers (
  grant_id text not null references grants on delete cascade,
  org_id text not null,
  person text not null,
  -- With what the token said then.
  roles jsonb not null,
  service boolean not null,
  at timestamptz not null default clock_timestamp(),
  primary key (grant_id, person)
);
create table grant_uses (
  call_id text primary key references calls on delete cascade,
  grant_id text not null references grants on delete cascade,
  org_id text not null,
  amount double precision not null,
  at timestamptz not null default clock_timestamp()
);
-- The grant that a call was dispatched under: {grantId, by, at, hash}.
alter table calls add column granted jsonb;
-- A grant seemed to cover it when it was proposed: it is claimed before anybody is asked.
alter table calls add column grant_seen boolean not null default false;
-- Grants that matched and did not count, with the reason.
alter table calls add column grants_near jsonb;
`;

export const grants = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    const rights =
      protectTable('grants', 'select, insert, update') +
      protectTable('grant_givers', 'select, insert') +
      protectTable('grant_uses', 'select, insert');
    await sql.raw(TABLES + rights).execute(db);
  },
};
