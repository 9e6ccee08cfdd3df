// Row-level security, as SQL: what a table needs so that the service's role reads and writes only the
// rows it may. Used by migrations when they make a table; test/store/tenants.test.ts fails for a
// table with org_id that is not under it.

/**
 * Neither superuser, owner nor BYPASSRLS; access.ts enters it in every transaction. Cluster-wide,
 * as roles are.
 */
export const SERVICE_ROLE = 'holdpoint_service';

// The worker and the reconciler serve every org: no row-level rule can hold them to one, their
// queries go by run id.
const SERVES_ALL = `coalesce(current_setting('holdpoint.as', true), '') in ('worker', 'reconciler')`;
const asOnly = (name: 'worker' | 'reconciler'): string =>
  `current_setting('holdpoint.as', true) = '${name}'`;

/**
 * FORCE, since a deployment's login role often owns the tables. An unset org is null or '', which
 * no row has.
 */
export const protectTable = (
  table: string,
  grants: string,
  ofOrg = `org_id = current_setting('holdpoint.org', true)`,
): string => `
alter table ${table} enable row level security;
alter table ${table} force row level security;
create policy of_org on ${table} using (${ofOrg}) with check (${ofOrg});
create policy of_worker on ${table} using (${asOnly('worker')}) with check (${asOnly('worker')});
create policy of_reconciler on ${table} using (${asOnly('reconciler')}) with check (${asOnly('reconciler')});
grant ${grants} on ${table} to ${SERVICE_ROLE};
`;

/** A table that is no tenant's: of the worker and the reconciler alone. */
export const protectInternalTable = (table: string, grants: string): string => `
alter table ${table} enable row level security;
alter table ${table} force row level security;
create policy of_service on ${table} using (${SERVES_ALL}) with check (${SERVES_ALL});
grant ${grants} on ${table} to ${SERVICE_ROLE};
`;
