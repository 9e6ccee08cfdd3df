// A line of its own for what is deleted in Temporal.

import { sql, type Kysely } from 'kysely';

export const deletedWorkflows = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `
alter table outbox drop constraint outbox_kind_check;
alter table outbox add constraint outbox_kind_check check (kind in ('START', 'SIGNAL', 'CANCEL', 'DELETE')) not valid;
`,
      )
      .execute(db);
  },
};
