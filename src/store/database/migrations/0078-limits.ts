// What limits are counted by: requests by user and org, and which open runs take a slot.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

const TABLES = `
create table request_counts (
  org_id text not null,
  -- SHA-256 of the token's subject; '': the org as a whole.
  who text not null,
  -- Minutes since 1970.
  minute bigint not null,
  -- Each writes rows of its own: none waits for another.
  process uuid not null,
  used bigint not null,
  primary key (org_id, who, minute, process)
);
-- It was started behind another open run of its session, and has not been released.
alter table runs add column behind boolean not null default false;
create index runs_under_way on runs (org_id, agent_id) where status in ('QUEUED', 'RUNNING') and not behind;
create index runs_paused on runs (org_id) where status = 'PAUSED';
`;

export const limits = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(TABLES + protectTable('request_counts', 'select, insert, update, delete'))
      .execute(db);
  },
};
