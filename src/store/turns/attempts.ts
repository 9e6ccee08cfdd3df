// Attempts at model calls and tools: how long they were under way, which is a run's active time, and
// what the provider reported of each.

import { sql, type RawBuilder } from 'kysely';
import type { StoreTransaction } from '../database/access.ts';

/**
 * Time in which anything was under way (asking a model that is waited for, in vain, is not), parallel calls counted once; a dead attempt up to its last
 * beat. As a part of a statement.
 */
export const activeMs = (runId: string): RawBuilder<number> =>
  sql<number>`coalesce((select sum(extract(epoch from upper(a) - lower(a))) * 1000 from unnest(
    (select range_agg(tstzrange(started_at, greatest(started_at, coalesce(ended_at, beat_at)))) from attempts
      where run_id = ${runId} and not (waiting and fault is not null))) a), 0)::float8`;

/**
 * Counted against `limits.timeoutMs`: from where the run's present budget began. As a part of a
 * statement over `r`, the run.
 */
export const activeMsSince = (runId: string): RawBuilder<number> =>
  sql<number>`greatest(0, ${activeMs(runId)} - coalesce((r.budget_from->>'activeMs')::float8, 0))`;

export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly estimated: boolean;
}

/**
 * Ends an attempt, with what the provider reported of it; also after the run has ended. `fault`:
 * the model's, and only its.
 */
export function endAttempt(
  tx: StoreTransaction,
  runId: string,
  attemptId: string,
  end: { usage?: TokenUsage | undefined; model?: string | undefined; fault?: string | undefined },
): void {
  tx.write(sql`
    with ended as (${endingAttempt(attemptId, end)})
    update runs set ${addingUsage(end.usage ?? NO_USAGE)} where run_id = ${runId} and ${end.usage !== undefined}`);
}

const NO_USAGE: TokenUsage = { promptTokens: 0, completionTokens: 0, estimated: false };

/** As a part of a statement: the attempt that had not ended yet. */
export const endingAttempt = (
  attemptId: string,
  end: { readonly model?: string | undefined; readonly fault?: string | undefined },
): RawBuilder<unknown> => sql`
  update attempts set ended_at = clock_timestamp(), model = ${end.model ?? null}, fault = ${end.fault ?? null}
  where attempt_id = ${attemptId} and ended_at is null returning attempt_id`;

/** What is set of the run, in a statement with `ended`: an attempt's tokens are counted once. */
export const addingUsage = (usage: TokenUsage): RawBuilder<unknown> => {
  const first = sql`exists (select 1 from ended)`;
  return sql`prompt_tokens = prompt_tokens + case when ${first} then ${usage.promptTokens}::int else 0 end,
    completion_tokens = completion_tokens + case when ${first} then ${usage.completionTokens}::int else 0 end,
    usage_estimated = usage_estimated or (${first} and ${usage.estimated}::boolean)`;
};

export async function beatAttempt(tx: StoreTransaction, attemptId: string): Promise<void> {
  await sql`update attempts set beat_at = clock_timestamp() where attempt_id = ${attemptId} and ended_at is null`.execute(
    tx.db,
  );
}
