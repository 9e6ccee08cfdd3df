// What reads the index of words (0050-knowledge.ts) goes round row-level security. So it is asked for
// bases and looks up itself which of them are of the caller's org; the words of a passage hold the
// key of its base, so nothing of another one is found. Filtering the passages by their org would do
// the same, but every passage would have to be read to be counted: where nothing of it is asked for,
// the index and the map of what everybody sees are enough.
//
// What runs as the owner looks names up in fixed schemas, and among temporary tables last: whoever
// may make one must not put it in the place of a table.

import { sql, type Kysely } from 'kysely';

const OF_BASES = `(select string_agg(quote_literal('base:' || b.base_key), ' | ')::tsquery from knowledge_bases b
    where b.base_key = any(keys) and b.org_id = current_setting('holdpoint.org', true))`;

const FUNCTIONS = `
create function holdpoint_count_words(keys text[], lexemes text[], most int)
returns table (lexeme text, passages bigint)
language sql stable security definer set search_path from current as $$
  with bases as materialized (select ${OF_BASES} as query)
  select l.lexeme, (select count(*) from (
    select from knowledge_passages p
    where p.words @@ ((select query from bases) && quote_literal(l.lexeme)::tsquery) limit most) found)
  from unnest(lexemes) l(lexeme)
$$;
create function holdpoint_find_words(keys text[], wanted tsquery, most int)
returns table (passage_id text, words tsvector)
language sql stable security definer set search_path from current as $$
  select p.passage_id, p.words from knowledge_passages p
  where p.words @@ (${OF_BASES} && wanted) limit most
$$;
revoke all on function holdpoint_count_words(text[], text[], int), holdpoint_find_words(text[], tsquery, int) from public;
grant execute on function holdpoint_count_words(text[], text[], int), holdpoint_find_words(text[], tsquery, int) to holdpoint_service;

create or replace function holdpoint_count_words(bases tsquery, lexemes text[], most int)
returns table (lexeme text, passages bigint)
language sql stable security definer set search_path from current as $$
  select l.lexeme, (select count(*) from (
    select 1 from knowledge_passages p where p.words @@ (bases && quote_literal(l.lexeme)::tsquery)
      and p.org_id = current_setting('holdpoint.org', true) limit most) found)
  from unnest(lexemes) l(lexeme)
$$;
create or replace function holdpoint_find_words(wanted tsquery, most int)
returns table (passage_id text, words tsvector)
language sql stable security definer set search_path from current as $$
  select p.passage_id, p.words from knowledge_passages p
  where p.words @@ wanted and p.org_id = current_setting('holdpoint.org', true) limit most
$$;
`;

/** Of every function that runs as its owner; the types of pgvector may be in a schema of their own. */
export const FIXED_SEARCH_PATHS = `
do $$
declare
  one record;
  path text;
begin
  select string_agg(quote_ident(s.name), ', ' order by s.n) into path from (
    select current_schema() as name, 1 as n
    union
    select n.nspname, 2 from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'vector' and n.nspname <> current_schema()) s;
  for one in select p.oid::regprocedure as name from pg_proc p
    where p.pronamespace = current_schema()::regnamespace and p.prosecdef and p.proname like 'holdpoint\\_%'
  loop
    execute format('alter function %s set search_path = %s, pg_temp', one.name, path);
  end loop;
end $$;
`;

export const wordsOfOneOrg = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql.raw(FUNCTIONS + FIXED_SEARCH_PATHS).execute(db);
  },
};
