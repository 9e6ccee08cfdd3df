// Knowledge by org, memory by user. A passage belongs to a document and is searched once that is
// READY. The table of vectors is made elsewhere (vectors.ts), since not every database can have it.

import { sql, type Kysely } from 'kysely';
import { protectTable } from './tenant-policies.ts';

const ALL = 'select, insert, update, delete';

const TABLES = `
create table knowledge_bases (
  base_key text primary key,
  org_id text not null,
  base_id text not null,
  name text not null,
  description text,
  created_by text not null,
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  deleted_at timestamptz
);
create unique index knowledge_bases_by_id on knowledge_bases (org_id, base_id) where deleted_at is null;
create index knowledge_bases_by_time on knowledge_bases (org_id, created_at desc, base_key desc);
create index knowledge_bases_deleted on knowledge_bases (deleted_at) where deleted_at is not null;

create table knowledge_documents (
  document_id text primary key,
  org_id text not null,
  base_key text not null references knowledge_bases,
  title text not null,
  external_id text,
  url text,
  media_type text,
  file_name text,
  content_hash text,
  -- Of the full text, by the database's own name for it.
  language text,
  status text not null default 'PROCESSING' check (status in ('PROCESSING', 'READY', 'FAILED')),
  progress real not null default 0,
  passages int not null default 0,
  error_code text,
  error_message text,
  -- Of several under one external id the one given last counts.
  given bigint generated always as identity,
  created_by text not null,
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  deleted_at timestamptz,
  started_at timestamptz,
  cancelled_at timestamptz,
  looked_at timestamptz,
  claimed_until timestamptz,
  claimed_by text
);
create index knowledge_documents_by_time on knowledge_documents (base_key, created_at desc, document_id desc);
create index knowledge_documents_by_external_id on knowledge_documents (base_key, external_id, given desc) where external_id is not null;
create index knowledge_documents_by_hash on knowledge_documents (base_key, content_hash) where content_hash is not null;
create index knowledge_documents_to_do on knowledge_documents (created_at) where status = 'PROCESSING' or deleted_at is not null;

create table knowledge_files (
  document_id text primary key references knowledge_documents on delete cascade,
  org_id text not null,
  packed boolean not null,
  bytes bytea not null
);

create table knowledge_passages (
  passage_id text primary key,
  org_id text not null,
  base_key text not null,
  document_id text not null references knowledge_documents,
  n int not null,
  headings text not null,
  body text not null,
  words tsvector not null
) with (toast_tuple_target = 8160);
create unique index knowledge_passages_by_document on knowledge_passages (document_id, n);
create index knowledge_passages_by_words on knowledge_passages using gin (words);

create table memories (
  memory_id text primary key,
  org_id text not null,
  user_id text not null,
  content text not null,
  -- The content without case, punctuation and spacing: one fact, however it is typed.
  fact text not null,
  -- What the fact is about, where that can be told.
  subject text,
  words tsvector not null,
  created_by text not null,
  run_id text,
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  updated_at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
);
create unique index memories_by_fact on memories (org_id, user_id, md5(fact));
create index memories_by_subject on memories (org_id, user_id, md5(subject)) where subject is not null;
create index memories_by_time on memories (org_id, user_id, created_at desc, memory_id desc);

alter table runs add column memories jsonb;
alter table calls add column citations jsonb;
`;

// Under row-level security the planner may not use the index of words: @@ is not leakproof, and a
// condition that is not goes behind the policy. So the index is read by a function that belongs to
// the owner of the table, for whom the policy says true. It gives ids and words; the passages
// themselves are read under the policies of the caller. The words of a passage hold the key of its
// base, so that the index is asked for those of one base alone.
const SEARCH = `
do $$ begin
  execute format('create policy of_owner on knowledge_passages for select to %I using (true)', current_user);
end $$;

create function holdpoint_count_words(bases tsquery, lexemes text[], most int)
returns table (lexeme text, passages bigint)
language sql stable security definer set search_path from current as $$
  select l.lexeme, (select count(*) from (
    select 1 from knowledge_passages p where p.words @@ (bases && quote_literal(l.lexeme)::tsquery) limit most) found)
  from unnest(lexemes) l(lexeme)
$$;
create function holdpoint_find_words(wanted tsquery, most int)
returns table (passage_id text, words tsvector)
language sql stable security definer set search_path from current as $$
  select p.passage_id, p.words from knowledge_passages p where p.words @@ wanted limit most
$$;
revoke all on function holdpoint_count_words, holdpoint_find_words from public;
`;

export const knowledge = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    const policies = [
      'knowledge_bases',
      'knowledge_documents',
      'knowledge_files',
      'knowledge_passages',
      'memories',
    ].map((table) => protectTable(table, ALL));
    await sql
      .raw(
        `${TABLES}${policies.join('')}${SEARCH}
grant execute on function holdpoint_count_words, holdpoint_find_words to holdpoint_service;`,
      )
      .execute(db);
  },
};
