// Row-level security under the queries' own `where org_id`: a forgotten one reads nothing instead
// of everything. A later migration that moves rows under FORCE must `set local holdpoint.as =
// 'worker'` first: the owner is bound too.

import { sql, type Kysely } from 'kysely';
import { SERVICE_ROLE, protectTable, protectInternalTable } from './tenant-policies.ts';

const ALL = 'select, insert, update, delete';

const TABLES = [
  'sessions',
  'runs',
  'turns',
  'attempts',
  'pauses',
  'calls',
  'votes',
  'decisions',
  'events',
  'deltas',
  'idempotency_keys',
  'outbox',
];

// A snapshot has no org_id: it is the operator's configuration, one row for all orgs that the agent
// is for. What must not be read across orgs is an agent that is kept from some, and the snapshot
// says itself which orgs those are.
const SNAPSHOT_OF_ORG = `(body->'orgs' = 'null'::jsonb or body->'orgs' ? current_setting('holdpoint.org', true))`;

// Two databases of one server may migrate at once, and roles are the server's: hence the handlers.
const ROLE = `
do $$
declare
  hint constant text := 'as a role that may: create role ${SERVICE_ROLE} nologin; grant ${SERVICE_ROLE} to ' || quote_ident(session_user)
    || '; or name such a role in MIGRATION_DATABASE_URL and run npm run migrate.';
begin
  if not exists (select 1 from pg_roles where rolname = '${SERVICE_ROLE}') then
    begin
      create role ${SERVICE_ROLE} nologin nosuperuser nobypassrls nocreatedb nocreaterole noreplication;
    exception
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise exception 'The database role % may not create the role ${SERVICE_ROLE}. Run once, %', session_user, hint;
    end;
  end if;
  if not (select rolsuper from pg_roles where rolname = session_user) then
    begin
      execute format('grant ${SERVICE_ROLE} to %I', session_user);
    exception
      when unique_violation then null;
      when insufficient_privilege then
        if not pg_has_role(session_user, '${SERVICE_ROLE}', 'member') then
          raise exception 'The database role % may not become ${SERVICE_ROLE}. Run once, %', session_user, hint;
        end if;
    end;
  end if;
  execute format('grant usage on schema %I to ${SERVICE_ROLE}', current_schema());
end $$;
`;

export const tenants = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    const policies = [
      ...TABLES.map((table) => protectTable(table, ALL)),
      // Lines are added, and never changed or taken away by the service.
      protectTable('audit', 'select, insert'),
      protectTable('agent_snapshots', 'select, insert', SNAPSHOT_OF_ORG),
      protectInternalTable('reconciler_state', ALL),
    ];
    await sql.raw(ROLE + policies.join('')).execute(db);
  },
};
