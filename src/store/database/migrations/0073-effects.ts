// Effects by name: of one name there is one in an org. A row outlives its run: what was done stays
// done.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

const TABLES = `
create table effects (
  org_id text not null,
  -- SHA-256 of the key, which may be long.
  key_hash text not null,
  key text not null,
  -- The call that has it, or had it last.
  call_id text not null,
  run_id text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (org_id, key_hash)
);
create index effects_by_call on effects (call_id);
`;

export const effects = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql.raw(TABLES + protectTable('effects', 'select, insert, update, delete')).execute(db);
  },
};
