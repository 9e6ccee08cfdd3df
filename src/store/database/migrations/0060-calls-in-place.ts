// Calls that are made within the workflow's own task.

import { sql, type Kysely } from 'kysely';

export const callsInPlace = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `
-- Begun within a workflow task: the activity that goes on with it may come to another worker while
-- this one still has it under way.
alter table attempts add column in_place boolean not null default false;
`,
      )
      .execute(db);
  },
};
