// A run outlives its model and its own failure: what it waits for, whether an operator holds it, how
// often it was taken up again and what its budget counts from; the status that a tool's answer
// came with.

import { sql, type Kysely } from 'kysely';

export const keptRuns = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql`alter table runs
      add column waiting jsonb,
      add column held boolean not null default false,
      add column retries int not null default 0,
      add column retry_id uuid,
      add column retried_at timestamptz,
      add column budget_from jsonb`.execute(db);
    await sql`create index runs_held on runs (run_id) where held`.execute(db);
    await sql`alter table calls add column http_status int`.execute(db);
    await sql`alter table attempts add column waiting boolean not null default false`.execute(db);
  },
};
