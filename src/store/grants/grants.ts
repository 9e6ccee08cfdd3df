// Grants, made, given by one more person, listed and revoked. Taking a use is take.ts's.

import { sql } from 'kysely';
import { v7 } from 'uuid';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { listed, type Listed, type PageWanted } from '../queries/run-lists.ts';
import type { Giver, GrantNow } from '../../policy/covers.ts';

/** Made before the transaction, so that one that is played again finds its own. */
export const newGrantId = (): string => `grant_${v7()}`;

export interface NewGrant {
  readonly grantId: string;
  readonly orgId: string;
  readonly agentId: string;
  readonly tool: string;
  readonly definition: string;
  readonly when: string;
  readonly maxUses: number;
  readonly maxSum?: { readonly field: string; readonly value: number } | undefined;
  readonly expiresAt: Date;
  readonly userId?: string | undefined;
  readonly reason: string;
  /** How many people have to give it. */
  readonly quorum: number;
}

export interface GrantRecord extends Omit<GrantNow, 'givers'> {
  readonly agentId: string;
  readonly tool: string;
  readonly reason: string;
  readonly quorum: number;
  readonly by: readonly string[];
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly revokedBy: string | null;
}

const COLUMNS = sql`g.grant_id as "grantId", g.agent_id as "agentId", g.tool, g.definition, g.condition, g.max_uses as "maxUses", g.uses,
  g.sum_field as "sumField", g.max_sum as "maxSum", g.used_sum as "usedSum", g.user_id as "userId", g.reason, g.quorum,
  (select coalesce(jsonb_agg(p.person order by p.at, p.person), '[]') from grant_givers p where p.grant_id = g.grant_id) as by,
  g.created_at as "createdAt", g.expires_at as "expiresAt", g.active_at is not null as active,
  g.expires_at <= clock_timestamp() as expired, g.revoked_by as "revokedBy"`;

/** Longest life of a grant. Contract, section 10. */
const LONGEST = sql.lit('7 days');

export type Created =
  { readonly kind: 'MADE'; readonly grant: GrantRecord } | { readonly kind: 'WRONG_TIME' };

export async function createGrant(
  tx: StoreTransaction,
  g: NewGrant,
  giver: Giver,
): Promise<Created> {
  const { rows } = await sql`
    insert into grants (grant_id, org_id, agent_id, tool, definition, condition, max_uses, sum_field, max_sum, user_id, reason, quorum, expires_at)
    select ${g.grantId}, ${g.orgId}, ${g.agentId}, ${g.tool}, ${g.definition}, ${g.when}, ${g.maxUses}, ${g.maxSum?.field ?? null},
      ${g.maxSum?.value ?? null}, ${g.userId ?? null}, ${g.reason}, ${g.quorum}, ${g.expiresAt}
    where ${g.expiresAt}::timestamptz > clock_timestamp() and ${g.expiresAt}::timestamptz <= clock_timestamp() + ${LONGEST}::interval
    on conflict (grant_id) do nothing returning grant_id`.execute(tx.db);
  const known = rows.length > 0 ? undefined : await findGrant(tx, g.orgId, g.grantId);
  if (known !== undefined) return { kind: 'MADE', grant: known };
  if (rows.length === 0) return { kind: 'WRONG_TIME' };
  audit(tx, {
    orgId: g.orgId,
    actor: giver.person,
    action: 'grant.created',
    data: {
      ...{ grantId: g.grantId, agentId: g.agentId, tool: g.tool, definition: g.definition },
      ...{ when: g.when, maxUses: g.maxUses, maxSum: g.maxSum ?? null, userId: g.userId ?? null },
      expiresAt: g.expiresAt.toISOString(),
    },
  });
  const made = await addGiver(tx, g.orgId, g.grantId, giver);
  if (made === undefined) throw new Error('a grant is gone in the transaction that made it');
  return { kind: 'MADE', grant: made };
}

/** The same person twice is one. */
export async function addGiver(
  tx: StoreTransaction,
  orgId: string,
  grantId: string,
  { person, roles, service }: Giver,
): Promise<GrantRecord | undefined> {
  const locked = await sql`
    select 1 from grants where org_id = ${orgId} and grant_id = ${grantId} for no key update`.execute(
    tx.db,
  );
  if (locked.rows.length === 0) return undefined;
  const { rows } = await sql`
    insert into grant_givers (grant_id, org_id, person, roles, service)
    values (${grantId}, ${orgId}, ${person}, ${JSON.stringify(roles)}::jsonb, ${service})
    on conflict do nothing returning 1`.execute(tx.db);
  if (rows.length > 0)
    audit(tx, { orgId, actor: person, action: 'grant.given', data: { grantId } });
  await sql`update grants g set active_at = clock_timestamp() where g.grant_id = ${grantId} and g.active_at is null
    and (select count(*) from grant_givers p where p.grant_id = g.grant_id) >= g.quorum`.execute(
    tx.db,
  );
  return findGrant(tx, orgId, grantId);
}

export async function findGrant(
  tx: StoreTransaction,
  orgId: string,
  grantId: string,
): Promise<GrantRecord | undefined> {
  const { rows } = await sql<GrantRecord>`
    select ${COLUMNS} from grants g where g.org_id = ${orgId} and g.grant_id = ${grantId}`.execute(
    tx.db,
  );
  return rows[0];
}

/** Newest first, ended ones too. */
export async function listGrants(
  tx: StoreTransaction,
  orgId: string,
  page: PageWanted,
): Promise<Listed<GrantRecord>> {
  const after =
    page.after === undefined
      ? sql``
      : sql`and (g.created_at, g.grant_id) < (${page.after.at}::timestamptz, ${page.after.ids[0]}::text)`;
  const { rows } = await sql<GrantRecord>`
    select ${COLUMNS} from grants g where g.org_id = ${orgId} ${after}
    order by g.created_at desc, g.grant_id desc limit ${page.limit + 1}`.execute(tx.db);
  return listed(rows, page, (g) => ({ at: g.createdAt, ids: [g.grantId] }));
}

/** What was dispatched under it stays so. */
export async function revokeGrant(
  tx: StoreTransaction,
  orgId: string,
  grantId: string,
  by: string,
): Promise<void> {
  const { rows } = await sql`
    update grants set revoked_at = clock_timestamp(), revoked_by = ${by}
    where org_id = ${orgId} and grant_id = ${grantId} and revoked_at is null returning 1`.execute(
    tx.db,
  );
  if (rows.length > 0) audit(tx, { orgId, actor: by, action: 'grant.revoked', data: { grantId } });
}
