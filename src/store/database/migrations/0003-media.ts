// What runs were given to see and hear: bytes once per org, by their hash; runs refer to them. An
// address is kept until it was fetched.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

export const media = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `
create table media (
  org_id text not null,
  sha256 text not null,
  bytes bytea not null,
  created_at timestamptz not null default now(),
  primary key (org_id, sha256)
);
-- Pictures and sound are compressed already.
alter table media alter column bytes set storage external;

create table run_media (
  run_id text not null references runs on delete cascade,
  org_id text not null,
  idx int not null,
  type text not null,
  url text,
  sha256 text,
  primary key (run_id, idx),
  foreign key (org_id, sha256) references media (org_id, sha256),
  check (url is not null or sha256 is not null)
);
create index run_media_by_content on run_media (org_id, sha256);

-- The last run that refers to it takes it along. Another may refer to it at this very moment: then it stays.
create function drop_unused_media() returns trigger language plpgsql as $$
begin
  delete from media m where m.org_id = old.org_id and m.sha256 = old.sha256
    and not exists (select 1 from run_media r where r.org_id = old.org_id and r.sha256 = old.sha256);
  return null;
exception when foreign_key_violation then
  return null;
end $$;
create trigger unused_media after delete on run_media for each row when (old.sha256 is not null) execute function drop_unused_media();
` +
          protectTable('media', 'select, insert, delete') +
          protectTable('run_media', 'select, insert, update, delete'),
      )
      .execute(db);
  },
};
