// What rules over a call's arguments said of it, and the sentence that people decide by.

import { sql, type Kysely } from 'kysely';

export const rules = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `
-- null in all of them: the call's tool has no rules, and the agent's quorum holds.
alter table calls add column rules jsonb;
alter table calls add column quorum int;
-- Lists of approvers beside the column of that name: a voter must be in each.
alter table calls add column approvers_also jsonb;
-- Rendered when the call was proposed; null: its tool has no sentence.
alter table calls add column summary text;
-- Of the token that started the run for its own user; null: somebody else did.
alter table runs add column user_roles jsonb;
`,
      )
      .execute(db);
  },
};
