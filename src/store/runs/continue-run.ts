// A vote through the API, with its Idempotency-Key, in one transaction; and a caller's
// cancellation.

import { sql } from 'kysely';
import { AppError } from '../../contract/errors.ts';
import { isTerminal } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import type { CheckEdit } from '../calls/edits.ts';
import { castVotes } from '../calls/votes.ts';
import type { Voter, VoteRequest } from '../calls/vote-policy.ts';
import { takeKey, type KeyUse } from './keys.ts';
import { addOutboxLine } from '../outbox.ts';
import { lockRun, lockSessionAndRun } from './runs.ts';
import { settle } from './settle.ts';

export interface ContinueRequest {
  readonly runId: string;
  readonly voter: Voter;
  readonly vote: VoteRequest;
  readonly key?: KeyUse | undefined;
  readonly checkEdit: CheckEdit;
}

export type Continued =
  | { readonly kind: 'CAST' }
  | { readonly kind: 'REPLAYED' }
  | { readonly kind: 'REFUSED'; readonly error: AppError };

export async function continueRun(
  tx: StoreTransaction,
  request: ContinueRequest,
): Promise<Continued> {
  const run = await lockRun(tx, request.runId);
  if (run === undefined) throw new AppError('NOT_FOUND', 'There is no such run.');
  const { key } = request;
  if (key !== undefined && (await takeKey(tx, key, run.runId)) !== undefined)
    return { kind: 'REPLAYED' };
  const result = await castVotes(tx, run, request.voter, request.vote, request.checkEdit);
  if (!('refused' in result)) return { kind: 'CAST' };
  // What was found on the way (an expiry) stays; the refused vote leaves no key.
  if (key !== undefined)
    await sql`delete from idempotency_keys where org_id = ${key.orgId} and caller = ${key.caller} and route = ${key.route}
      and agent_id = ${key.agentId} and target = ${key.target} and key = ${key.key}`.execute(tx.db);
  return { kind: 'REFUSED', error: result.refused };
}

/** CANCELLED in any state but an end; an outbox line cancels the workflow. */
export async function cancelRun(tx: StoreTransaction, runId: string, actor: string): Promise<void> {
  const run = await lockSessionAndRun(tx, runId);
  if (run === undefined || isTerminal(run.status)) return;
  await settle(tx, runId, { kind: 'CANCELLED' }, actor);
  addOutboxLine(tx, run.orgId, runId, { kind: 'CANCEL' });
}

/** A cancellation takes this long from the record to the workflow, where all is well. */
const ON_ITS_WAY_S = 2;

/**
 * The workflow of a cancelled run has found that out by itself: the request that it waits for is
 * sent once more. One that was sent a moment ago may be on its way, or have gone to the execution
 * before a reset: it is sent again only after a while. True where there is a line to be sent.
 */
export async function cancelAgain(tx: StoreTransaction, runId: string): Promise<boolean> {
  const run = await lockRun(tx, runId);
  if (run?.status !== 'CANCELLED') return false;
  tx.write(sql`
    update outbox set acknowledged_at = null, claimed_by = null,
      claimed_until = acknowledged_at + make_interval(secs => ${ON_ITS_WAY_S})
    where run_id = ${runId} and kind = 'CANCEL' and acknowledged_at is not null`);
  addOutboxLine(tx, run.orgId, runId, { kind: 'CANCEL' });
  return true;
}
