// The audit of one org, newest first.

import { sql, type Kysely } from 'kysely';

export const auditByOrg = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql.raw(`create index audit_by_org on audit (org_id, id);`).execute(db);
  },
};
