// A run's user takes back the calls that wait for people, and may say something instead: the same
// run goes on with it. A withdrawal and a vote lock the run's row, so each call has one decision.

import { sql } from 'kysely';
import { AppError } from '../../contract/errors.ts';
import { audit } from '../audit.ts';
import { decide, expireDue, resumeIfDecided } from '../calls/decisions.ts';
import type { OpenCall } from '../calls/vote-policy.ts';
import type { StoreTransaction } from '../database/access.ts';
import { takeKey, type KeyUse } from './keys.ts';
import { lockRun, startRun, type LockedRun, type NewRun, type Started } from './runs.ts';
import { OPEN } from './open-runs.ts';

export interface Withdrawal {
  /** Made before the transaction, so that one that is played again finds its own. */
  readonly withdrawalId: string;
  readonly by: string;
  readonly message?: string | undefined;
}

export type Withdrawn =
  | { readonly kind: 'WITHDRAWN' }
  | { readonly kind: 'REPLAYED' }
  /** Returned, so that an expiry that was found on the way is committed. */
  | { readonly kind: 'REFUSED'; readonly error: AppError };

export async function withdrawCalls(
  tx: StoreTransaction,
  runId: string,
  withdrawal: Withdrawal,
  key?: KeyUse,
): Promise<Withdrawn> {
  const run = await lockRun(tx, runId);
  if (run === undefined) throw new AppError('NOT_FOUND', 'There is no such run.');
  if ((await runOf(tx, withdrawal)) !== undefined) return { kind: 'WITHDRAWN' };
  const now = await afterExpiry(tx, run);
  if (now.status !== 'PAUSED' && key === undefined) return notPaused(now);
  if (key !== undefined && (await takeKey(tx, key, runId)) !== undefined)
    return { kind: 'REPLAYED' };
  // Thrown: the key that was just taken goes with the transaction.
  if (now.status !== 'PAUSED') throw notPaused(now).error;
  await withdraw(tx, now, withdrawal);
  return { kind: 'WITHDRAWN' };
}

const notPaused = ({ status }: LockedRun): Extract<Withdrawn, { kind: 'REFUSED' }> => ({
  kind: 'REFUSED',
  error: new AppError('NOT_PAUSED', `The run is ${status}, there is nothing to take back.`),
});

export type StartedOrWithdrawn = Started | { readonly kind: 'WITHDREW'; readonly runId: string };

/** With `onPaused: withdraw` the message goes to the session's paused run, where there is one. */
export async function startOrWithdraw(
  tx: StoreTransaction,
  run: NewRun,
): Promise<StartedOrWithdrawn> {
  if (run.onPaused !== 'withdraw') return startRun(tx, run);
  const withdrawal = { withdrawalId: run.runId, by: run.startedBy, message: run.input };
  const known = await runOf(tx, withdrawal);
  if (known !== undefined) return { kind: 'WITHDREW', runId: known };
  const paused = await pausedOfSession(tx, run);
  if (paused === undefined) return startRun(tx, run);
  if (run.key !== undefined) {
    const earlier = await takeKey(tx, run.key, paused.runId);
    if (earlier !== undefined) return { kind: 'REPLAYED', runId: earlier };
  }
  if (run.refusal !== undefined) throw run.refusal;
  if (paused.agentId !== run.agent.id)
    throw new AppError(
      'SESSION_OF_OTHER_AGENT',
      `This session began with the agent "${paused.agentId}" and goes on with it only. Start a new session.`,
    );
  if ((run.media ?? []).length > 0)
    throw new AppError('INVALID_REQUEST', 'Media cannot be handed to a run that is paused.', {
      errors: [{ path: 'media', message: 'cannot go with onPaused: withdraw on a paused run' }],
    });
  await withdraw(tx, paused, withdrawal);
  return { kind: 'WITHDREW', runId: paused.runId };
}

/** Locked, the session before the run as everywhere; what has expired is decided. */
async function pausedOfSession(
  tx: StoreTransaction,
  { orgId, userId, sessionId }: NewRun,
): Promise<LockedRun | undefined> {
  const ofSession = sql`org_id = ${orgId} and user_id = ${userId} and session_id = ${sessionId}`;
  await sql`select 1 from sessions where ${ofSession} for no key update`.execute(tx.db);
  const { rows } = await sql<{ runId: string }>`
    select run_id as "runId" from runs where ${ofSession} and status in ${OPEN}
    order by session_seq limit 1`.execute(tx.db);
  const run = rows[0] && (await lockRun(tx, rows[0].runId));
  const now = run && (await afterExpiry(tx, run));
  return now?.status === 'PAUSED' ? now : undefined;
}

const afterExpiry = async (tx: StoreTransaction, run: LockedRun): Promise<LockedRun> =>
  (await expireDue(tx, run)) ? ((await lockRun(tx, run.runId)) ?? run) : run;

/** Of one that is written already. */
async function runOf(
  tx: StoreTransaction,
  { withdrawalId }: Withdrawal,
): Promise<string | undefined> {
  const { rows } = await sql<{ runId: string }>`
    select run_id as "runId" from withdrawals where withdrawal_id = ${withdrawalId}`.execute(tx.db);
  return rows[0]?.runId;
}

/** Calls of unknown outcome stay: whether they happened is nobody's to take back. */
async function withdraw(
  tx: StoreTransaction,
  run: LockedRun,
  { withdrawalId, by, message }: Withdrawal,
): Promise<void> {
  const { rows: open } = await sql<OpenCall>`
    select c.call_id as "callId", c.name, p.kind, c.risk, c.approval = 'required' as guarded,
      c.arguments_hash as "argumentsHash", c.approvers
    from calls c join pauses p on p.pause_id = c.pause_id
    where c.run_id = ${run.runId} and p.kind = 'APPROVAL' order by c.idx`.execute(tx.db);
  tx.write(sql`
    insert into withdrawals (withdrawal_id, run_id, org_id, turn, person, message)
    values (${withdrawalId}, ${run.runId}, ${run.orgId}, ${run.turn}, ${by}, ${message ?? null})`);
  audit(tx, {
    orgId: run.orgId,
    runId: run.runId,
    actor: by,
    action: 'run.withdrawn',
    data: { pauseId: run.pauseId, callIds: open.map((call) => call.callId) },
  });
  for (const call of open) await decide(tx, run, call, { action: 'WITHDRAWN', by: [by] });
  const callIds = open.map((call) => call.callId);
  if (callIds.length > 0) await resumeIfDecided(tx, run, callIds);
}
