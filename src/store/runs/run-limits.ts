// How many runs an org, and one agent in it, may have under way, waiting for people, and waiting
// behind each other in a session. Asked by the transaction that starts a run.

import { sql } from 'kysely';
import { AppError } from '../../contract/errors.ts';
import type { StoreTransaction } from '../database/access.ts';

export interface RunLimits {
  /** Under way at once. What waits for people, or behind another run of its session, is not. */
  readonly perOrg: number;
  readonly perAgent: number;
  readonly pausedPerOrg: number;
  /** Until when an org's paused runs need not be counted again, on the clock of performance.now(). */
  readonly fewPausedUntil: Map<string, number>;
}

interface Place {
  readonly orgId: string;
  readonly agentId: string;
}

interface Slots {
  readonly org: number;
  readonly agent: number;
  /** undefined: few, as counted a moment ago. */
  readonly paused?: number;
}

/**
 * So near a limit, starts of the org are decided one after the other. Below, more starts would have
 * to be under way at once than two processes have connections, for one to be let through too many.
 */
const NEAR = 50;
/** Counting a hundred thousand rows takes milliseconds: so far from the limit it is done seldom. */
const FAR_FROM_PAUSED = 1000;
const COUNTED_AGAIN_AFTER_MS = 5000;
/** Messages that wait in one session: who writes more, writes into a conversation that stands still. */
const QUEUED_PER_SESSION = 100;

interface Starting {
  readonly orgId: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly agent: { readonly id: string };
}

/**
 * Counts beside the statements that follow, and costs no round trip of its own; what is returned
 * throws where the run may not be started. `queued`: it will wait behind another of its session,
 * whose row is locked by then.
 */
export function limitStart(
  tx: StoreTransaction,
  run: Starting,
  limits: RunLimits | undefined,
): (queued: boolean) => Promise<void> {
  if (limits === undefined) return async () => undefined;
  const at = { orgId: run.orgId, agentId: run.agent.id };
  const counted = readSlots(tx, at, limits);
  // Of a start that is refused before for another reason.
  counted.catch(() => undefined);
  return async (queued) => {
    if (!queued) return refuseOverLimits(tx, at, limits, await counted);
    refuseOverPaused(limits, await counted);
    await refuseOverQueued(tx, run);
  };
}

export async function readSlots(
  tx: StoreTransaction,
  at: Place,
  limits: RunLimits,
): Promise<Slots> {
  const now = performance.now();
  const few = (limits.fewPausedUntil.get(at.orgId) ?? 0) > now;
  const { rows } = await sql<{ org: number; agent: number; paused: number }>`
    select
      (select count(*) from (select 1 from runs where ${ofOrg(at)} and ${UNDER_WAY} limit ${limits.perOrg}) o)::int as org,
      (select count(*) from (select 1 from runs where ${ofOrg(at)} and agent_id = ${at.agentId} and ${UNDER_WAY}
        limit ${limits.perAgent}) a)::int as agent,
      (select count(*) from (select 1 from runs where ${ofOrg(at)} and status = 'PAUSED'
        limit ${few ? 0 : limits.pausedPerOrg}) p)::int as paused`.execute(tx.db);
  const { org = 0, agent = 0, paused = 0 } = rows[0] ?? {};
  if (few) return { org, agent };
  if (paused + FAR_FROM_PAUSED < limits.pausedPerOrg)
    limits.fewPausedUntil.set(at.orgId, now + COUNTED_AGAIN_AFTER_MS);
  else limits.fewPausedUntil.delete(at.orgId);
  return { org, agent, paused };
}

const ofOrg = ({ orgId }: Place) => sql`org_id = ${orgId}`;
/** As the index runs_under_way has it. */
const UNDER_WAY = sql`status in ('QUEUED', 'RUNNING') and not behind`;

/** Throws where one more run may not begin. `seen`: counted in this transaction, with others beside it. */
export async function refuseOverLimits(
  tx: StoreTransaction,
  at: Place,
  limits: RunLimits,
  seen: Slots,
): Promise<void> {
  refuseOverPaused(limits, seen);
  const isNear = seen.org + NEAR > limits.perOrg || seen.agent + NEAR > limits.perAgent;
  if (!isNear) return;
  // A full one is refused without the lock.
  if (!isFull(limits, seen))
    await sql`select pg_advisory_xact_lock(hashtextextended(${`holdpoint runs of ${at.orgId}`}, 0))`.execute(
      tx.db,
    );
  const now = isFull(limits, seen) ? seen : await readSlots(tx, at, limits);
  if (now.org >= limits.perOrg)
    throw refusal(
      `Your organisation has ${limits.perOrg} runs under way, and no more are taken until one of them is over or waits for people.`,
    );
  if (now.agent >= limits.perAgent)
    throw refusal(
      `The agent "${at.agentId}" has ${limits.perAgent} runs under way in your organisation, and no more are taken until one of them is over or waits for people.`,
    );
}

const isFull = (limits: RunLimits, { org, agent }: Slots): boolean =>
  org >= limits.perOrg || agent >= limits.perAgent;

function refuseOverPaused({ pausedPerOrg }: RunLimits, { paused = 0 }: Slots): void {
  if (paused < pausedPerOrg) return;
  throw new AppError(
    'TOO_MANY_PAUSED_RUNS',
    `Your organisation has ${pausedPerOrg} runs that wait for people, and takes no new ones until some are decided or cancelled: GET /api/approvals lists them.`,
    // People decide, not processes.
    { headers: { 'Retry-After': '60' } },
  );
}

const refusal = (what: string): AppError =>
  new AppError('TOO_MANY_RUNS', `${what} Start this one again later.`, {
    headers: { 'Retry-After': '2' },
  });

async function refuseOverQueued(
  tx: StoreTransaction,
  { orgId, userId, sessionId }: Starting,
): Promise<void> {
  const { rows } = await sql<{ queued: number }>`
    select count(*)::int as queued from runs
    where org_id = ${orgId} and user_id = ${userId} and session_id = ${sessionId} and status = 'QUEUED' and behind`.execute(
    tx.db,
  );
  if ((rows[0]?.queued ?? 0) < QUEUED_PER_SESSION) return;
  throw new AppError(
    'TOO_MANY_QUEUED_RUNS',
    `${QUEUED_PER_SESSION} messages wait in this session, and no more are taken until one of them has been answered. Send this one again later, or start a new session.`,
    { headers: { 'Retry-After': '5' } },
  );
}
