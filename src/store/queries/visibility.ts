// Who sees a run, its session, and who may vote: predicates used by every read for a caller, so
// that what he may not see is simply not there. Always together with the org. The claims are those
// of the token that reads.

import { sql, type RawBuilder } from 'kysely';
import type { RunStatus } from '../../contract/names.ts';
import type { StoreTransaction } from '../database/access.ts';
import { readRuns, type RunRecord } from './run-record.ts';

export interface Viewer {
  readonly subject: string;
  readonly orgId: string;
  readonly scopes: ReadonlySet<string>;
  readonly roles: readonly string[];
  readonly service: boolean;
}

/** Over `r`, a row of runs. */
export function visibleTo(viewer: Viewer): RawBuilder<boolean> {
  const ofOrg = sql<boolean>`r.org_id = ${viewer.orgId}`;
  if (viewer.scopes.has('admin')) return ofOrg;
  const own = sql<boolean>`(r.user_id = ${viewer.subject} or r.started_by = ${viewer.subject})`;
  if (!viewer.scopes.has('runs:approve')) return sql<boolean>`${ofOrg} and ${own}`;
  return sql<boolean>`${ofOrg} and (${own} or ${decidesAbout(viewer)})`;
}

/**
 * Guarded calls count once they were asked about, open or decided; calls of unknown outcome while
 * they are open, and for who voted on them. `approvers` null is anyone with the scope, but for
 * service tokens: those are named.
 */
function decidesAbout(viewer: Viewer): RawBuilder<boolean> {
  return sql<boolean>`(
    exists (select 1 from calls c left join pauses p on p.pause_id = c.pause_id where c.run_id = r.run_id and ${isApprover(viewer)}
      and ((c.approval = 'required' and c.requested_at is not null) or p.kind = 'OUTCOME_UNKNOWN'))
    or exists (select 1 from votes v join pauses p on p.pause_id = v.pause_id
      where v.run_id = r.run_id and v.person = ${viewer.subject} and p.kind = 'OUTCOME_UNKNOWN'))`;
}

/** Over `c`, a row of calls: is he among those whom its policy takes? */
function isApprover(viewer: Viewer): RawBuilder<boolean> {
  const names = [
    `user:${viewer.subject}`,
    ...(viewer.service ? [] : viewer.roles.map((role) => `role:${role}`)),
  ];
  const also = sql<boolean>`not exists (
    select 1 from jsonb_array_elements(c.approvers_also) l where not (l ?| ${names}::text[]))`;
  const named = viewer.service
    ? sql<boolean>`(c.approvers is not null or coalesce(jsonb_array_length(c.approvers_also), 0) > 0)`
    : sql<boolean>`true`;
  return sql<boolean>`(${named} and (c.approvers is null or c.approvers ?| ${names}::text[]) and ${also})`;
}

/**
 * Over `c`, `r` and `s` (call, run, snapshot): may a token with `runs:approve` vote on the call?
 * What voterProblem says of a person, as SQL; test/api/approvals.test.ts holds the two against each
 * other.
 */
export function mayVoteOn(viewer: Viewer): RawBuilder<boolean> {
  const asked = sql<boolean>`(r.user_id = ${viewer.subject} or r.started_by = ${viewer.subject})`;
  const fourEyes = sql<boolean>`coalesce((s.body->'approvals'->>'fourEyes')::boolean, false)`;
  return sql<boolean>`(${isApprover(viewer)} and not (${fourEyes} and c.approval = 'required' and ${asked}))`;
}

/** Over `s`, a row of sessions: its user's, who sees one of its runs, the org's admin. */
export function sessionVisibleTo(viewer: Viewer): RawBuilder<boolean> {
  const ofOrg = sql<boolean>`s.org_id = ${viewer.orgId}`;
  if (viewer.scopes.has('admin')) return ofOrg;
  return sql<boolean>`${ofOrg} and (s.user_id = ${viewer.subject} or exists (
    select 1 from runs r where r.org_id = s.org_id and r.user_id = s.user_id and r.session_id = s.session_id and ${visibleTo(viewer)}))`;
}

/**
 * Over `m`, a run of a session: is its exchange his to read? Who decides about a run sees the
 * conversation that led there.
 */
export function exchangeVisibleTo(viewer: Viewer): RawBuilder<boolean> {
  if (viewer.scopes.has('admin')) return sql<boolean>`true`;
  const own = sql<boolean>`(m.user_id = ${viewer.subject} or m.started_by = ${viewer.subject})`;
  if (!viewer.scopes.has('runs:approve')) return own;
  return sql<boolean>`(${own} or exists (select 1 from runs r where r.org_id = m.org_id and r.user_id = m.user_id
    and r.session_id = m.session_id and r.session_seq >= m.session_seq and ${decidesAbout(viewer)}))`;
}

/** Which run an address names: any agent's, where it names no agent. */
export interface RunName {
  readonly agentId: string | undefined;
  readonly runId: string;
}

/** The run as it is; undefined for one of another agent, another org, or not his to see. */
export async function readVisibleRun(
  tx: StoreTransaction,
  viewer: Viewer,
  { agentId, runId }: RunName,
): Promise<RunRecord | undefined> {
  const [run] = await readRuns(tx, sql`r.run_id = ${runId} and ${visibleTo(viewer)}`);
  return agentId === undefined || run?.agentId === agentId ? run : undefined;
}

export interface FoundRun {
  readonly agentId: string;
  readonly userId: string;
  readonly startedBy: string;
}

/** As readVisibleRun, for who wants to act on it: without its text. */
export async function findVisibleRun(
  tx: StoreTransaction,
  viewer: Viewer,
  { agentId, runId }: RunName,
): Promise<FoundRun | undefined> {
  const { rows } = await sql<FoundRun>`
    select r.agent_id as "agentId", r.user_id as "userId", r.started_by as "startedBy"
    from runs r where r.run_id = ${runId} and ${visibleTo(viewer)}`.execute(tx.db);
  return agentId === undefined || rows[0]?.agentId === agentId ? rows[0] : undefined;
}

export interface Standing {
  readonly status: RunStatus;
  /**
   * It goes on after an action of a person: QUEUED behind a run of its session that waits for
   * people, or held by an operator.
   */
  readonly heldUp: boolean;
}

/**
 * What a waiting caller looks at after each announcement: cheap, the whole record is read at the
 * end.
 */
export async function readStanding(
  tx: StoreTransaction,
  orgId: string,
  runId: string,
): Promise<Standing | undefined> {
  const { rows } = await sql<Standing>`
    select r.status, r.held or (r.status = 'QUEUED' and exists (
      select 1 from runs p where p.org_id = r.org_id and p.user_id = r.user_id and p.session_id = r.session_id
        and p.session_seq < r.session_seq and p.status = 'PAUSED')) as "heldUp"
    from runs r where r.org_id = ${orgId} and r.run_id = ${runId}`.execute(tx.db);
  return rows[0];
}
