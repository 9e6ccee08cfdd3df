// What retention looks for every ten minutes is found without reading the whole of its table.

import { sql, type Kysely } from 'kysely';

export const retention = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `create index runs_by_end on runs (closed_at) where closed_at is not null;
         create index idempotency_keys_by_age on idempotency_keys (created_at)`,
      )
      .execute(db);
  },
};
