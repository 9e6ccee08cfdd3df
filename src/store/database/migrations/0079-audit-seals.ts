// The chain over the audit: a seal for each line, in the order in which they were sealed.

import { sql, type Kysely } from 'kysely';
import { protectInternalTable } from './tenant-policies.ts';

const TABLES = `
create table audit_seals (
  seq bigint primary key,
  -- No reference: a line that was taken out must be missed, not prevent it.
  line_id bigint not null unique,
  sealed_at timestamptz not null,
  -- Of the key: the beginning of its SHA-256.
  key_id text not null,
  -- HMAC-SHA-256 over the seal before and the line, hexadecimal.
  mac text not null
);
`;

export const auditSeals = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql.raw(TABLES + protectInternalTable('audit_seals', 'select, insert')).execute(db);
  },
};
