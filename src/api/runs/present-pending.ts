// The only way from a call that waits for people to JSON: in a run's record, in the inbox, on
// streams. What a policy allows is shown to each caller for themselves.

import { WAITING_INPUT_MAX_CHARS, type WaitingCall } from '../../contract/lists.ts';
import type { Citation } from '../../contract/citation.ts';
import type { PendingCall, ShownRule } from '../../contract/run.ts';
import { decisiveRule, type JudgedRule } from '../../policy/judge.ts';
import { quorumOf, voterProblem } from '../../store/calls/vote-policy.ts';
import type { CallRecord, EarlierDecision } from '../../store/queries/call-record.ts';
import type { RunRecord } from '../../store/queries/run-record.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import { beginningOf, EARLIER_CUTS, NO_CUTS, type Cuts } from './cut-text.ts';

type PendingRun = Pick<
  RunRecord,
  'quorum' | 'fourEyes' | 'startedBy' | 'userId' | 'createdAt' | 'calls'
>;

/** Passages that the run's searches returned, in their order, each once. */
export function citationsOf({ calls }: Pick<RunRecord, 'calls'>): Citation[] {
  const found = calls.flatMap((call) => call.citations ?? []);
  const byPassage = new Map(found.map((citation) => [citation.passageId, citation]));
  return [...byPassage.values()];
}

/** The call as everybody sees it: without what depends on who looks. */
export function presentOpenCall(
  run: Pick<PendingRun, 'quorum' | 'fourEyes' | 'createdAt' | 'calls'>,
  call: CallRecord,
  cuts: Cuts = NO_CUTS,
): Omit<PendingCall, 'youMay' | 'whyNot'> {
  const citations = citationsOf(run);
  const kind = call.pauseKind ?? 'APPROVAL';
  return {
    callId: call.callId,
    kind,
    name: call.name,
    arguments: cuts.arguments(call.arguments),
    argumentsHash: call.argumentsHash,
    ...(call.summary == null ? {} : { summary: call.summary }),
    ...(call.modelText == null ? {} : { modelText: cuts.text(call.modelText) }),
    ...(call.description === null ? {} : { description: cuts.text(call.description) }),
    ...(call.tool == null ? {} : { tool: call.tool }),
    ...(call.toolNow == null ? {} : { toolNow: call.toolNow.definition }),
    risk: call.risk,
    ...(call.askedAgain === null ? {} : { askedAgain: call.askedAgain }),
    ...(kind === 'OUTCOME_UNKNOWN' && call.evidence !== null
      ? { evidence: cuts.text(call.evidence) }
      : {}),
    requestedAt: call.requestedAt ?? run.createdAt.toISOString(),
    expiresAt: call.expiresAt,
    // The total, not what is missing: a repeated click on an unknown outcome must never need
    // company.
    votesNeeded: quorumOf(run, { kind, quorum: call.quorum ?? null }),
    votes: call.votes.map((vote) => ({ ...vote })),
    approvers: call.approvers === null ? null : [...call.approvers],
    ...(call.approversAlso == null
      ? {}
      : { approversAlso: call.approversAlso.map((list) => [...list]) }),
    ...(call.effectKey == null ? {} : { effectKey: call.effectKey }),
    ...(call.grantsNear == null
      ? {}
      : { grantsNear: call.grantsNear.map(({ grantId, why }) => ({ grantId, why })) }),
    ...presentRules(call.rules ?? []),
    // Four eyes are for what needs approval: an unknown outcome of another call is anyone's.
    fourEyes: run.fourEyes && call.guarded,
    earlier: (call.earlier ?? []).map(presentEarlier),
    ...(citations.length === 0 ? {} : { citations }),
  };
}

/** Those in force; a rule in the shadow is in the record alone. */
function presentRules(judged: readonly JudgedRule[]): Pick<PendingCall, 'rule' | 'rules'> {
  const decisive = decisiveRule(judged);
  if (decisive === undefined) return {};
  const rules = judged.filter((rule) => rule.shadow === undefined);
  return {
    rule: presentRule(decisive),
    ...(rules.length > 1 ? { rules: rules.map(presentRule) } : {}),
  };
}

export const presentRule = ({ name, hash, reason, problem }: JudgedRule): ShownRule => ({
  name,
  hash,
  ...(reason === undefined ? {} : { reason }),
  ...(problem === undefined ? {} : { problem }),
});

const presentEarlier = ({ reason, ...e }: EarlierDecision): PendingCall['earlier'][number] => ({
  ...e,
  by: [...e.by],
  arguments: EARLIER_CUTS.arguments(e.arguments),
  ...(reason === null ? {} : { reason }),
});

/** `asOf`: when it is looked at; a call whose time is over takes no vote. */
export function presentPending(
  run: PendingRun,
  call: CallRecord,
  viewer: Viewer,
  asOf: Date = new Date(),
  cuts: Cuts = NO_CUTS,
): PendingCall {
  const whyNot = mayNotVote(run, call, viewer, asOf);
  return {
    ...presentOpenCall(run, call, cuts),
    youMay: whyNot === undefined,
    ...(whyNot === undefined ? {} : { whyNot }),
  };
}

/** Why any vote of the viewer would be refused. */
function mayNotVote(
  run: PendingRun,
  call: CallRecord,
  viewer: Viewer,
  asOf: Date,
): string | undefined {
  if (!viewer.scopes.has('runs:approve')) return 'Your token lacks the scope runs:approve.';
  if (call.expiresAt !== null && Date.parse(call.expiresAt) <= asOf.getTime())
    return 'Its time is over: it counts as rejected.';
  const { subject, roles, service } = viewer;
  return voterProblem(run, call, { kind: 'person', subject, roles, service }, 'APPROVE');
}

/** A line of the inbox. Whether its time is over is the database's word there. */
export const presentWaiting = (run: RunRecord, call: CallRecord, viewer: Viewer): WaitingCall => ({
  ...presentPending(run, call, viewer, run.createdAt),
  pauseId: call.pauseId ?? '',
  runId: run.runId,
  sessionId: run.sessionId,
  agentId: run.agentId,
  userId: run.userId,
  startedBy: run.startedBy,
  input: beginningOf(run.input, WAITING_INPUT_MAX_CHARS),
});
