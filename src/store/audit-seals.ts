// Seals of audit lines: one after the other by whichever process has the lock, so that nobody who
// writes a line waits for it. How a seal is made is audit/seal.ts.

import { sql } from 'kysely';
import { sealOf, type SealKey, type SealedLine } from '../audit/seal.ts';
import type { StoreTransaction } from './database/access.ts';

export interface Head {
  readonly seq: number;
  readonly mac: string;
  readonly keyId: string;
}

/** The last seal; undefined: nothing was sealed yet. */
export async function readHead(tx: StoreTransaction): Promise<Head | undefined> {
  const { rows } = await sql<Head>`
    select seq, mac, key_id as "keyId" from audit_seals order by seq desc limit 1`.execute(tx.db);
  return rows[0];
}

/**
 * A transaction that wrote a line may commit after one that wrote a later line: lines so far below
 * the highest that is sealed are looked for too.
 */
const LATE_LINES = 10_000;

// As text, so that a line is sealed and verified to the microsecond and the digit.
const LINE = sql`a.id as "lineId", to_char(a.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
  a.org_id as "orgId", a.run_id as "runId", a.actor, a.action, a.data::text as data`;

export type Sealing =
  /** `left`: there may be more. */
  | { readonly kind: 'SEALED'; readonly left: boolean; readonly head: Head | undefined }
  | { readonly kind: 'OTHER_KEY'; readonly keyId: string };

/** Seals at most so many lines; of several processes at once one does, the others find it done. */
export async function sealLines(
  tx: StoreTransaction,
  key: SealKey,
  most: number,
): Promise<Sealing> {
  const { rows: locked } = await sql<{ mine: boolean }>`
    select pg_try_advisory_xact_lock(hashtext('audit_seals')) as mine`.execute(tx.db);
  const before = await readHead(tx);
  if (locked[0]?.mine !== true) return { kind: 'SEALED', left: false, head: before };
  if (before !== undefined && before.keyId !== key.id)
    return { kind: 'OTHER_KEY', keyId: before.keyId };
  const { rows: lines } = await sql<SealedLine & { now: string }>`
    select ${LINE}, to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now
    from audit a
    where a.id > (select coalesce(max(line_id), 0) - ${sql.lit(LATE_LINES)} from audit_seals)
      and not exists (select 1 from audit_seals s where s.line_id = a.id)
    order by a.id limit ${most}`.execute(tx.db);
  const sealedAt = lines[0]?.now ?? '';
  const seals: Head[] = [];
  for (const line of lines) {
    const last = seals.at(-1) ?? before;
    const seq = (last?.seq ?? 0) + 1;
    seals.push({ seq, keyId: key.id, mac: sealOf(key, last?.mac ?? '', { seq, sealedAt, line }) });
  }
  if (seals.length > 0)
    await sql`insert into audit_seals (seq, line_id, sealed_at, key_id, mac)
      select s.seq, s.line_id, ${sealedAt}::timestamptz, ${key.id}, s.mac
      from jsonb_to_recordset(${JSON.stringify(
        seals.map(({ seq, mac }, i) => ({ seq, mac, line_id: lines[i]?.lineId })),
      )}::jsonb) as s(seq bigint, line_id bigint, mac text)`.execute(tx.db);
  return { kind: 'SEALED', left: lines.length === most, head: seals.at(-1) ?? before };
}

export interface StoredSeal extends Head {
  readonly lineId: number;
  readonly sealedAt: string;
  /** null: it is gone. */
  readonly line: SealedLine | null;
}

/** In order, after `seq`. */
export async function readSeals(
  tx: StoreTransaction,
  seq: number,
  most: number,
): Promise<readonly StoredSeal[]> {
  const { rows } = await sql<
    Head & SealedLine & { sealedAt: string; sealedLine: number; lineId: number | null }
  >`
    select s.seq, s.mac, s.key_id as "keyId", s.line_id as "sealedLine",
      to_char(s.sealed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "sealedAt", ${LINE}
    from audit_seals s left join audit a on a.id = s.line_id
    where s.seq > ${seq} order by s.seq limit ${most}`.execute(tx.db);
  return rows.map(({ sealedLine, lineId, at, orgId, runId, actor, action, data, ...seal }) => ({
    ...{ seq: seal.seq, mac: seal.mac, keyId: seal.keyId, sealedAt: seal.sealedAt },
    lineId: sealedLine,
    line: lineId === null ? null : { lineId, at, orgId, runId, actor, action, data },
  }));
}

export interface Unsealed {
  readonly lines: number;
  /** Of those older than an hour. */
  readonly old: number;
}

export async function countUnsealed(tx: StoreTransaction): Promise<Unsealed> {
  const { rows } = await sql<Unsealed>`
    select count(*)::int as lines, count(*) filter (where a.at < now() - interval '1 hour')::int as old
    from audit a where not exists (select 1 from audit_seals s where s.line_id = a.id)`.execute(
    tx.db,
  );
  return rows[0] ?? { lines: 0, old: 0 };
}
