// What a server declares of a tool whose definition has changed, and what its results hold beside
// text.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

export const toolsOfOthers = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql
      .raw(
        `
-- {"definition": …}, null in it where the server has no such tool any more; null: it never changed.
alter table calls add column tool_now jsonb;

create table call_media (
  call_id text not null references calls on delete cascade,
  run_id text not null references runs on delete cascade,
  org_id text not null,
  idx int not null,
  type text not null,
  sha256 text not null,
  primary key (call_id, idx),
  foreign key (org_id, sha256) references media (org_id, sha256)
);
create index call_media_by_run on call_media (run_id);
create index call_media_by_content on call_media (org_id, sha256);

-- The last one that refers to it takes it along, a run or a call.
create or replace function drop_unused_media() returns trigger language plpgsql as $$
begin
  delete from media m where m.org_id = old.org_id and m.sha256 = old.sha256
    and not exists (select 1 from run_media r where r.org_id = old.org_id and r.sha256 = old.sha256)
    and not exists (select 1 from call_media k where k.org_id = old.org_id and k.sha256 = old.sha256);
  return null;
exception when foreign_key_violation then
  return null;
end $$;
create trigger unused_media after delete on call_media for each row execute function drop_unused_media();
` + protectTable('call_media', 'select, insert, delete'),
      )
      .execute(db);
  },
};
