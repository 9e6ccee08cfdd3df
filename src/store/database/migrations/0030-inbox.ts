// What has come into the inbox of an org and left it, in the order of the commits: the record that
// streams of the inbox are read from. Written by triggers, since every way into and out of a pause
// must write it, those of an older release that still runs included.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

export const inbox = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `
create table inbox_heads (
  org_id text primary key,
  seq bigint not null,
  -- Lines up to here may have been deleted by retention.
  deleted_through bigint not null default 0
);
create table inbox_lines (
  org_id text not null,
  seq bigint not null,
  kind text not null check (kind in ('WAITING', 'DECIDED')),
  run_id text not null,
  call_id text not null references calls on delete cascade,
  pause_id text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (org_id, seq)
);
create index inbox_lines_by_call on inbox_lines (call_id, pause_id);
create index inbox_lines_decided on inbox_lines (at) where kind = 'DECIDED';

-- The head is counted under its lock, so that lines become visible in their order. The triggers are
-- deferred: the lock is the transaction's last one, and held for the commit alone.
create function next_inbox_seq(org text) returns bigint language sql as $$
  insert into inbox_heads (org_id, seq) values (org, 1)
  on conflict (org_id) do update set seq = inbox_heads.seq + 1 returning seq
$$;
create function log_inbox_change() returns trigger language plpgsql as $$
begin
  if old.pause_id is not null then
    insert into inbox_lines (org_id, seq, kind, run_id, call_id, pause_id)
    values (old.org_id, next_inbox_seq(old.org_id), 'DECIDED', old.run_id, old.call_id, old.pause_id);
  end if;
  if new.pause_id is not null then
    insert into inbox_lines (org_id, seq, kind, run_id, call_id, pause_id)
    values (new.org_id, next_inbox_seq(new.org_id), 'WAITING', new.run_id, new.call_id, new.pause_id);
  end if;
  return null;
end $$;
create constraint trigger inbox_change after update of pause_id on calls deferrable initially deferred
  for each row when (old.pause_id is distinct from new.pause_id) execute function log_inbox_change();

-- A vote that decides nothing yet changes what the inbox shows, too.
create function count_inbox_change() returns trigger language plpgsql as $$
begin
  perform next_inbox_seq(new.org_id);
  return null;
end $$;
create constraint trigger inbox_vote after insert or update on votes deferrable initially deferred
  for each row execute function count_inbox_change();

insert into inbox_lines (org_id, seq, kind, run_id, call_id, pause_id, at)
select org_id, row_number() over (partition by org_id order by requested_at, run_id, turn, idx), 'WAITING', run_id, call_id, pause_id, requested_at
from calls where pause_id is not null;
insert into inbox_heads (org_id, seq) select org_id, max(seq) from inbox_lines group by org_id;
` +
          protectTable('inbox_heads', 'select, insert, update') +
          protectTable('inbox_lines', 'select, insert, delete'),
      )
      .execute(db);
  },
};
