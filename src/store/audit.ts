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

/** Written again by a repeated transaction it finds itself: for lines that come once by their data. */
export async function auditOnce(tx: StoreTransaction, line: AuditLine): Promise<void> {
  const data = JSON.stringify(line.data ?? {});
  await sql`insert into audit (org_id, run_id, actor, action, data)
    select ${line.orgId}, ${line.runId}, ${line.actor}, ${line.action}, ${data}::jsonb where not exists (
      select 1 from audit a where a.run_id = ${line.runId} and a.action = ${line.action} and a.data = ${data}::jsonb)`.execute(
    tx.db,
  );
}

export function audit(tx: StoreTransaction, line: AuditLine): void {
  const { orgId, runId = null, actor, action, data = {} } = line;
  tx.write(
    tx.db
      .insertInto('audit')
      .values({ org_id: orgId, run_id: runId, actor, action, data: JSON.stringify(data) }),
  );
}
