// Idempotency keys, in the transaction of what they protect: kept as long as the run's row, so they
// outlive Temporal's retention.

import { sql } from 'kysely';
import { AppError } from '../../contract/errors.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { Columns } from '../database/tables.ts';

export interface KeyUse {
  readonly orgId: string;
  readonly caller: string;
  readonly route: 'run' | 'background' | 'stream' | 'continue' | 'retry' | 'withdraw';
  readonly agentId: string;
  /** The run of a `continue`, a `retry` or a `withdraw`, else "". */
  readonly target: string;
  readonly key: string;
  /** SHA-256 of the validated body. */
  readonly bodyHash: string;
  /** Of a `continue`, made before its transaction: played again, it finds its own key. */
  readonly requestId?: string;
}

interface KeyRow extends Columns<'idempotency_keys', 'body_hash' | 'run_id' | 'request_id'> {
  readonly there: boolean;
}

/**
 * Takes the key for `runId`. The run that has it already, if that is another use of it; with
 * another body it is refused.
 */
export async function takeKey(
  tx: StoreTransaction,
  use: KeyUse,
  runId: string,
): Promise<string | undefined> {
  const taken = await tx.db
    .insertInto('idempotency_keys')
    .values({
      org_id: use.orgId,
      caller: use.caller,
      route: use.route,
      agent_id: use.agentId,
      target: use.target,
      key: use.key,
      body_hash: use.bodyHash,
      run_id: runId,
      request_id: use.requestId ?? null,
    })
    .onConflict((known) => known.doNothing())
    .returning('run_id')
    .executeTakeFirst();
  if (taken !== undefined) return undefined;
  const { rows } = await sql<KeyRow>`
    select body_hash, run_id, request_id, exists (select 1 from runs r where r.run_id = k.run_id) as there from idempotency_keys k
    where org_id = ${use.orgId} and caller = ${use.caller} and route = ${use.route} and agent_id = ${use.agentId}
      and target = ${use.target} and key = ${use.key}`.execute(tx.db);
  const row = rows[0];
  if (row === undefined) return undefined;
  if (row.body_hash !== use.bodyHash)
    throw new AppError(
      'IDEMPOTENCY_KEY_REUSED',
      'This Idempotency-Key was used with another body. Send a new key for a new request.',
    );
  // A session was deleted and its keys were kept: a late repetition must not begin the conversation
  // anew.
  if (!row.there && row.run_id !== runId)
    throw new AppError(
      'NOT_FOUND',
      'The run that this Idempotency-Key started was deleted with its session. Send a new key for a new request.',
    );
  // A key of a run that is acted on is not distinguished from another request's by the run.
  const own =
    use.target === ''
      ? row.run_id === runId
      : row.request_id !== null && row.request_id === use.requestId;
  return own ? undefined : row.run_id;
}
