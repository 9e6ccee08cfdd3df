// Calls that the run's user took back, and what they said to the same run instead.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

const TABLES = `
alter table decisions drop constraint decisions_action_check;
alter table decisions add constraint decisions_action_check check (action in ('APPROVE', 'REJECT', 'WITHDRAWN')) not valid;
create table withdrawals (
  withdrawal_id text primary key,
  run_id text not null references runs on delete cascade,
  org_id text not null,
  -- The model reads the message after the results of this turn.
  turn int not null,
  person text not null,
  message text,
  at timestamptz not null default clock_timestamp()
);
create index withdrawals_by_run on withdrawals (run_id);
`;

export const withdrawals = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql.raw(TABLES + protectTable('withdrawals', 'select, insert')).execute(db);
  },
};
