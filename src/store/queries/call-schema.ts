// The schema of a call's arguments, as the run's snapshot has it: an edited agent file changes
// nothing about a call that waits already. Where the tool's server declares another one by now, that
// is what would be called.

import { sql } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';

/** JSON Schema; undefined where the run has no such call, or its tool is none it was offered. */
export async function readCallSchema(
  tx: StoreTransaction,
  runId: string,
  callId: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { rows } = await sql<{ input: Record<string, unknown> | null }>`
    select coalesce(c.tool_now->'definition'->'inputSchema', (select t->'input' from jsonb_array_elements(s.body->'tools') t
      where t->>'name' = c.name limit 1)) as input
    from calls c join runs r using (run_id) join agent_snapshots s using (revision)
    where c.run_id = ${runId} and c.call_id = ${callId}`.execute(tx.db);
  return rows[0]?.input ?? undefined;
}
