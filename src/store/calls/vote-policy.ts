// May this vote be cast? Pure: the situation as it was read under the run's lock, the voter, the
// request; a verdict comes out. The order of the checks is the contract's; api/ and an operator's
// signal both come through here.

import { AppError } from '../../contract/errors.ts';
import { OPERATOR, type RunStatus } from '../../contract/names.ts';
import type { Action, DecidedAs } from '../../contract/run.ts';
import type { PauseKind } from '../../contract/turn.ts';
import type { ApproverLists } from '../../policy/approvers.ts';
import type { GrantBesideVote } from '../grants/beside-vote.ts';

export type OperatorDecisions = 'full' | 'reject-only' | 'off';

export type Voter =
  | {
      readonly kind: 'person';
      readonly subject: string;
      readonly roles: readonly string[];
      readonly service: boolean;
    }
  | { readonly kind: 'operator'; readonly allowed: OperatorDecisions };

export const nameOf = (voter: Voter): string =>
  voter.kind === 'operator' ? OPERATOR : voter.subject;

export interface VoteOn {
  readonly callId: string;
  readonly action: Action;
  readonly reason?: string | undefined;
  readonly argumentsHash?: string | undefined;
  readonly arguments?: Readonly<Record<string, unknown>> | undefined;
  /** The same yes to later calls of the tool. */
  readonly grant?: GrantBesideVote | undefined;
}

export interface VoteRequest {
  /** Made before the transaction, so that it finds its own votes when it is played again. */
  readonly id?: string | undefined;
  readonly pauseId?: string | undefined;
  readonly votes:
    | { readonly all: { readonly action: Action; readonly reason?: string | undefined } }
    | { readonly each: readonly VoteOn[] };
  /** The pause an operator was shown when the signal came: it is about that one only. */
  readonly shownPauseId?: string | undefined;
}

export interface OpenCall {
  readonly callId: string;
  readonly name: string;
  readonly kind: PauseKind;
  readonly risk: 'normal' | 'high';
  readonly guarded: boolean;
  readonly argumentsHash: string;
  readonly approvers: readonly string[] | null;
  /** Lists beside `approvers` that a voter must be in as well. */
  readonly approversAlso?: ApproverLists | null;
  /** Of a call whose tool has rules; absent or null: the agent's. */
  readonly quorum?: number | null;
}

export interface CastVote {
  readonly pauseId: string;
  readonly callId: string;
  readonly person: string;
  readonly action: Action;
}

export interface MadeDecision {
  readonly pauseId: string;
  readonly callId: string;
  readonly action: DecidedAs;
  readonly by: readonly string[];
  readonly at: string;
}

export interface Situation {
  readonly status: RunStatus;
  readonly pauseId: string | null;
  readonly startedBy: string;
  readonly userId: string;
  readonly quorum: number;
  readonly fourEyes: boolean;
  /** Calls open in the present pause. */
  readonly open: readonly OpenCall[];
  /** Of the whole run, oldest first. */
  readonly votes: readonly CastVote[];
  readonly decisions: readonly MadeDecision[];
  /** Kind of every pause of the run, by id, oldest first. */
  readonly pauses: ReadonlyMap<string, PauseKind>;
}

/** The votes to write, in the pause's order; none where the same vote was cast already. */
export type VotesToCast = readonly { readonly call: OpenCall; readonly vote: VoteOn }[];

const WORD: Readonly<Record<DecidedAs, string>> = {
  APPROVE: 'approved',
  REJECT: 'rejected',
  WITHDRAWN: 'taken back',
};
const decided = (d: MadeDecision): string => `${WORD[d.action]} by ${d.by.join(', ')} at ${d.at}`;

export function judgeVote(s: Situation, voter: Voter, request: VoteRequest): VotesToCast {
  const person = nameOf(voter);
  if (isSameVote(s, person, request)) return [];
  const wanted = 'each' in request.votes ? request.votes.each : undefined;
  const all = 'all' in request.votes ? request.votes.all : undefined;
  checkThatOpen(s, request, wanted ?? []);
  const votes: VotesToCast = s.open.flatMap((call) => {
    const vote =
      wanted?.find((v) => v.callId === call.callId) ?? (all && { callId: call.callId, ...all });
    return vote === undefined ? [] : [{ call, vote }];
  });

  for (const { call, vote } of votes) {
    const problem = voterProblem(s, call, voter, vote.action);
    if (problem !== undefined) throw new AppError('FORBIDDEN', problem);
  }
  for (const { call, vote } of votes)
    if (vote.action === 'APPROVE') checkExactness(s, voter, request, call, vote, all !== undefined);
  for (const { call, vote } of votes)
    if (vote.argumentsHash !== undefined && vote.argumentsHash !== call.argumentsHash)
      throw new AppError(
        'HASH_MISMATCH',
        `The arguments of ${call.callId} are not the ones this hash is of. Read the run, look at them, and decide with their argumentsHash.`,
      );
  for (const { call, vote } of votes) if (vote.arguments !== undefined) checkEditable(s, call);
  // The same vote of the same person is not written again.
  return votes.filter(
    ({ call, vote }) =>
      !s.votes.some(
        (v) =>
          v.pauseId === s.pauseId &&
          v.callId === call.callId &&
          v.person === person &&
          v.action === vote.action,
      ),
  );
}

/** What is voted on must wait in the present pause. */
function checkThatOpen(s: Situation, request: VoteRequest, wanted: readonly VoteOn[]): void {
  const openById = new Map(s.open.map((call) => [call.callId, call]));
  for (const vote of wanted) {
    if (openById.has(vote.callId)) continue;
    const decision = s.decisions.findLast((d) => d.callId === vote.callId);
    if (decision !== undefined)
      throw new AppError(
        'ALREADY_DECIDED',
        `The call ${vote.callId} is already decided: ${decided(decision)}.`,
      );
  }
  if (s.status !== 'PAUSED') {
    const last = s.decisions.at(-1);
    throw new AppError(
      'NOT_PAUSED',
      `The run is ${s.status}, there is nothing to decide${last ? `; its last decision: ${last.callId} ${decided(last)}` : ''}.`,
    );
  }
  for (const pauseId of [request.pauseId, request.shownPauseId])
    if (pauseId !== undefined && pauseId !== s.pauseId)
      throw new AppError(
        'NOT_THIS_PAUSE',
        `The pause ${pauseId} is not the present one, which is ${s.pauseId ?? 'none'}. Read the run and decide what it shows.`,
      );
  for (const vote of wanted)
    if (!openById.has(vote.callId))
      throw new AppError(
        'NOT_THIS_PAUSE',
        `The call ${vote.callId} is not open in the present pause ${s.pauseId ?? ''}.`,
      );
}

function checkEditable(s: Situation, call: OpenCall): void {
  if (call.kind === 'OUTCOME_UNKNOWN')
    throw new AppError(
      'INVALID_REQUEST',
      'A call of unknown outcome is done again as it was or left: its arguments cannot be edited.',
    );
  if (quorumOf(s, call) > 1)
    throw new AppError(
      'INVALID_REQUEST',
      'Several people approve this call, so its arguments cannot be edited: reject it instead.',
    );
}

/** How many have to approve the call; one is enough where its outcome is unknown. */
export const quorumOf = (
  s: Pick<Situation, 'quorum'>,
  call: Pick<OpenCall, 'kind' | 'quorum'>,
): number => (call.kind === 'OUTCOME_UNKNOWN' ? 1 : (call.quorum ?? s.quorum));

/** 428: what is dangerous is approved by naming it. A rejection never needs that. */
function checkExactness(
  s: Situation,
  voter: Voter,
  request: VoteRequest,
  call: OpenCall,
  vote: VoteOn,
  bare: boolean,
): void {
  const refuse = (detail: string): never => {
    throw new AppError('CALL_ID_REQUIRED', detail);
  };
  if (call.kind === 'OUTCOME_UNKNOWN' && (bare || request.pauseId === undefined))
    refuse(
      `Nobody knows whether ${call.callId} happened. To do it again, approve it by callId and pauseId "${s.pauseId ?? ''}".`,
    );
  if (
    call.risk === 'high' &&
    call.kind === 'APPROVAL' &&
    (bare || vote.argumentsHash === undefined)
  )
    refuse(
      `${call.name} is of high risk: approve it by callId "${call.callId}" with its argumentsHash.`,
    );
  const decidedBefore = s.decisions.some((d) => d.pauseId !== s.pauseId);
  // A new Idempotency-Key is not a new look: the click may have been meant for the pause before.
  if (bare && voter.kind === 'person' && decidedBefore && request.pauseId === undefined)
    refuse(
      `The run is paused again since an earlier decision. Look at what it waits for now, and approve by callId, or by pauseId "${s.pauseId ?? ''}".`,
    );
}

/**
 * The right to vote on a call, by the policy in the run's snapshot and the claims of the token that
 * votes.
 */
export function voterProblem(
  s: Pick<Situation, 'fourEyes' | 'startedBy' | 'userId'>,
  call: Pick<OpenCall, 'name' | 'guarded' | 'approvers' | 'approversAlso'>,
  voter: Voter,
  action: Action,
): string | undefined {
  const lists = [
    ...(call.approvers === null ? [] : [call.approvers]),
    ...(call.approversAlso ?? []),
  ];
  if (voter.kind === 'operator') {
    if (voter.allowed === 'off') return 'Decisions by operators are switched off.';
    if (action === 'REJECT') return undefined;
    if (voter.allowed === 'reject-only') return 'Operators may only reject here.';
    return lists.every((list) => list.includes(OPERATOR))
      ? undefined
      : `${call.name} is not approved by operators.`;
  }
  const byName = (list: readonly string[]): boolean => list.includes(`user:${voter.subject}`);
  if (voter.service && !(lists.length > 0 && lists.every(byName)))
    return `A service token decides only where it is named; ${call.name} does not name it.`;
  if (s.fourEyes && call.guarded && (voter.subject === s.startedBy || voter.subject === s.userId))
    return 'Somebody else has to decide: this agent does not let the one who asked decide (four eyes).';
  const byRole = (list: readonly string[]): boolean =>
    voter.roles.some((role) => list.includes(`role:${role}`));
  if (!lists.every((list) => byName(list) || byRole(list)))
    return `You are not among those who may decide about ${call.name}.`;
  return undefined;
}

function isSameVote(s: Situation, person: string, request: VoteRequest): boolean {
  const mine = s.votes.filter((v) => v.person === person);
  if ('each' in request.votes)
    return request.votes.each.every((vote) => {
      const pauseId = request.pauseId ?? request.shownPauseId ?? latestPauseOf(s, vote.callId);
      if (pauseId === undefined) return false;
      // Money is at stake: a repeated click without the pause's id must not count as anything.
      if (s.pauses.get(pauseId) === 'OUTCOME_UNKNOWN' && request.pauseId === undefined)
        return false;
      return mine.some(
        (v) => v.pauseId === pauseId && v.callId === vote.callId && v.action === vote.action,
      );
    });
  const { action } = request.votes.all;
  const pauseId =
    request.pauseId ??
    request.shownPauseId ??
    (s.status === 'PAUSED' ? s.pauseId : [...s.pauses.keys()].at(-1));
  if (pauseId === undefined || pauseId === null) return false;
  if (s.pauses.get(pauseId) === 'OUTCOME_UNKNOWN' && request.pauseId === undefined) return false;
  const inPause = mine.filter((v) => v.pauseId === pauseId);
  if (inPause.length === 0 || inPause.some((v) => v.action !== action)) return false;
  // In the present pause calls may be open that this person has not voted on: then it is a new
  // vote.
  return (
    pauseId !== s.pauseId || s.open.every((call) => inPause.some((v) => v.callId === call.callId))
  );
}

function latestPauseOf(s: Situation, callId: string): string | undefined {
  if (s.open.some((call) => call.callId === callId)) return s.pauseId ?? undefined;
  return s.votes.findLast((v) => v.callId === callId)?.pauseId;
}
