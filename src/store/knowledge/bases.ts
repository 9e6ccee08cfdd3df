// Bases of an org. One that is deleted is unknown at once, and its id free again; what it held is
// taken away by upkeep.ts.

import { sql } from 'kysely';
import { audit } from '../audit.ts';
import type { StoreTransaction } from '../database/access.ts';
import { listed, type Listed, type PageWanted } from '../queries/run-lists.ts';

export interface BaseRecord {
  /** Ours; another base of the same id later has another key. */
  readonly baseKey: string;
  readonly baseId: string;
  readonly name: string;
  readonly description: string | null;
  readonly createdAt: Date;
}

export interface NewBase extends Pick<BaseRecord, 'baseKey' | 'baseId' | 'name' | 'description'> {
  readonly orgId: string;
  readonly createdBy: string;
}

const COLUMNS = sql`base_key as "baseKey", base_id as "baseId", name, description, created_at as "createdAt"`;

/** undefined: the id is taken. */
export async function createBase(
  tx: StoreTransaction,
  base: NewBase,
): Promise<BaseRecord | undefined> {
  const { rows } = await sql<BaseRecord>`
    insert into knowledge_bases (base_key, org_id, base_id, name, description, created_by)
    values (${base.baseKey}, ${base.orgId}, ${base.baseId}, ${base.name}, ${base.description}, ${base.createdBy})
    on conflict do nothing returning ${COLUMNS}`.execute(tx.db);
  const made = rows[0];
  if (made === undefined) {
    const standing = await findBase(tx, base.orgId, base.baseId);
    return standing?.baseKey === base.baseKey ? standing : undefined;
  }
  audit(tx, {
    orgId: base.orgId,
    actor: base.createdBy,
    action: 'base.created',
    data: { baseId: base.baseId },
  });
  return made;
}

/** Newest first. */
export async function listBases(
  tx: StoreTransaction,
  orgId: string,
  page: PageWanted,
): Promise<Listed<BaseRecord>> {
  const after =
    page.after === undefined
      ? sql``
      : sql`and (created_at, base_key) < (${page.after.at}::timestamptz, ${page.after.ids[0]}::text)`;
  const { rows } = await sql<BaseRecord>`
    select ${COLUMNS} from knowledge_bases where org_id = ${orgId} and deleted_at is null ${after}
    order by created_at desc, base_key desc limit ${page.limit + 1}`.execute(tx.db);
  return listed(rows, page, (b) => ({ at: b.createdAt, ids: [b.baseKey] }));
}

export async function findBase(
  tx: StoreTransaction,
  orgId: string,
  baseId: string,
): Promise<BaseRecord | undefined> {
  return (await findBases(tx, orgId, [baseId]))[0];
}

export async function findBases(
  tx: StoreTransaction,
  orgId: string,
  baseIds: readonly string[],
): Promise<readonly BaseRecord[]> {
  const { rows } = await sql<BaseRecord>`
    select ${COLUMNS} from knowledge_bases
    where org_id = ${orgId} and base_id = any(${[...baseIds]}) and deleted_at is null`.execute(
    tx.db,
  );
  return rows;
}

/** With its documents. One that is not there changes nothing. */
export async function deleteBase(
  tx: StoreTransaction,
  orgId: string,
  baseId: string,
  actor: string,
): Promise<void> {
  const { rows } = await sql<{ base_key: string }>`
    update knowledge_bases set deleted_at = clock_timestamp()
    where org_id = ${orgId} and base_id = ${baseId} and deleted_at is null returning base_key`.execute(
    tx.db,
  );
  const baseKey = rows[0]?.base_key;
  if (baseKey === undefined) return;
  await sql`update knowledge_documents set deleted_at = clock_timestamp()
    where base_key = ${baseKey} and deleted_at is null`.execute(tx.db);
  audit(tx, { orgId, actor, action: 'base.deleted', data: { baseId } });
}
