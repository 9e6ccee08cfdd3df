// Lines of who did what, in the transaction that does it. Data names ids, hashes and words of ours,
// never a message's text.

import { sql } from 'kysely';
import type { StoreTransaction } from './database/access.ts';

export interface AuditLine {
  readonly orgId: string;
  /** Absent where it is about no run. */
  readonly runId?: string;
  readonly actor: string;
  readonly action: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export async function audit(tx: StoreTransaction, line: AuditLine): Promise<void> {
  await sql`insert into audit (org_id, run_id, actor, action, data)
    values (${line.orgId}, ${line.runId ?? null}, ${line.actor}, ${line.action}, ${JSON.stringify(line.data ?? {})}::jsonb)`.execute(
    tx.db,
  );
}
