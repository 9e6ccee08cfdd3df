// The sweep over open runs goes by their ids, a few at a time: it must not read all that wait for
// people, each second.

import { sql, type Kysely } from 'kysely';

export const openRuns = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql`drop index runs_open`.execute(db);
    await sql`create index runs_open on runs (run_id) where status in ('QUEUED', 'RUNNING', 'PAUSED')`.execute(
      db,
    );
  },
};
