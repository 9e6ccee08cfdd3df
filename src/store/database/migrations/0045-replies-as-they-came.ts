// How a provider gave a reply: its ids and fields, as JSON text, for going back to it within the
// run. null: of a release that did not keep it.

import { sql, type Kysely } from 'kysely';

export const repliesAsTheyCame = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql`alter table turns add column came_as text`.execute(db);
  },
};
