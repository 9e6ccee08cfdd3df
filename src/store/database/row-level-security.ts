// The check at start that row-level security really binds.

import { sql } from 'kysely';
import type { Database } from './database.ts';
import { runTransaction } from './transaction.ts';
import { SERVICE_ROLE } from './migrations/tenant-policies.ts';

interface Binding {
  readonly bound: boolean;
  readonly owns: readonly string[];
  readonly open: readonly string[];
}

/** Why tenants would not be kept apart in this database; a sentence that says what to do. */
export async function rowLevelSecurityProblem(db: Database): Promise<string | undefined> {
  const { rows } = await sql<{ login: string; role_exists: boolean }>`
    select session_user as login, exists (select 1 from pg_roles where rolname = ${SERVICE_ROLE}) as role_exists`.execute(
    db.kysely,
  );
  const login = rows[0]?.login ?? '';
  if (rows[0]?.role_exists !== true)
    return `The database has no role ${SERVICE_ROLE}: run npm run migrate, with MIGRATION_DATABASE_URL naming a role that may create roles.`;
  let found: Binding | undefined;
  try {
    found = await runTransaction(db, 'worker', async (tx) => (await binding.execute(tx)).rows[0]);
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== '42501') throw error;
    return `The database role "${login}" may not become ${SERVICE_ROLE}. Run once, as a role that may: grant ${SERVICE_ROLE} to "${login}";`;
  }
  if (found === undefined || !found.bound)
    return `The database role ${SERVICE_ROLE} is a superuser or has BYPASSRLS, so tenants would not be kept apart. Run once, as a superuser: alter role ${SERVICE_ROLE} nosuperuser nobypassrls;`;
  if (found.owns.length > 0)
    return `The database role ${SERVICE_ROLE} owns or is a member of the owner of ${found.owns.join(', ')}, so it could lift row-level security. Let another role own them.`;
  if (found.open.length > 0)
    return `Row-level security is not enabled and forced on ${found.open.join(', ')}: run npm run migrate, or enable and force it again.`;
  return undefined;
}

const binding = sql<Binding>`
  with held as (
    select c.relname, c.relrowsecurity and c.relforcerowsecurity as forced, pg_has_role(current_user, c.relowner, 'member') as owned
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname = current_schema()
      and (c.relname = 'agent_snapshots' or exists (
        select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped))
  )
  select (select not (rolsuper or rolbypassrls) from pg_roles where rolname = current_user) as bound,
    coalesce((select jsonb_agg(relname order by relname) from held where owned), '[]') as owns,
    coalesce((select jsonb_agg(relname order by relname) from held where not forced), '[]') as open`;
