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

/** Counted against `limits.timeoutMs`: from where the run's present budget began. */
export async function activeMsOf(tx: StoreTransaction, runId: string): Promise<number> {
  const { rows } = await sql<{ ms: number }>`
    select greatest(0, ${activeMs(runId)} - coalesce((select (budget_from->>'activeMs')::float8 from runs where run_id = ${runId}), 0)) as ms`.execute(
    tx.db,
  );
  return rows[0]?.ms ?? 0;
}

export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly estimated: boolean;
}

/**
 * Ends an attempt, with what the provider reported of it; also after the run has ended. `fault`:
 * the model's, and only its.
 */
export async function endAttempt(
  tx: StoreTransaction,
  runId: string,
  attemptId: string,
  end: { usage?: TokenUsage | undefined; model?: string | undefined; fault?: string | undefined },
): Promise<void> {
  const ended =
    await sql`update attempts set ended_at = clock_timestamp(), model = ${end.model ?? null}, fault = ${end.fault ?? null}
    where attempt_id = ${attemptId} and ended_at is null returning attempt_id`.execute(tx.db);
  if (ended.rows.length === 0 || end.usage === undefined) return;
  await sql`update runs set prompt_tokens = prompt_tokens + ${end.usage.promptTokens}, completion_tokens = completion_tokens + ${end.usage.completionTokens},
    usage_estimated = usage_estimated or ${end.usage.estimated} where run_id = ${runId}`.execute(
    tx.db,
  );
}

export async function beatAttempt(tx: StoreTransaction, attemptId: string): Promise<void> {
  await sql`update attempts set beat_at = clock_timestamp() where attempt_id = ${attemptId} and ended_at is null`.execute(
    tx.db,
  );
}
