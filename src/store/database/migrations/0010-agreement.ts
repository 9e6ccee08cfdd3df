// What it takes to give the same answer to a transaction that is played twice, because the reply to
// its commit was lost; and which Temporal namespace this database belongs to.

import { sql, type Kysely } from 'kysely';
import { protectInternalTable } from './tenant-policies.ts';

export const agreement = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `
-- The dispatch of which no byte has gone out yet; a process that does not know the column leaves an
-- older number here, and its dispatches count as gone out.
alter table calls add column unsent_n int;
-- Made before the transaction that casts the vote.
alter table votes add column request_id text;
alter table idempotency_keys add column request_id text;
-- The attempt's own event.
alter table attempts add column event_seq bigint;
-- Who leased the line.
alter table outbox add column claimed_by text;

create table temporal_counterpart (
  one boolean primary key default true check (one),
  cluster_id text,
  namespace text not null,
  namespace_id text,
  since timestamptz not null default now()
);
${protectInternalTable('temporal_counterpart', 'select, insert, update')}
`,
      )
      .execute(db);
  },
};
