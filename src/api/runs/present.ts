// The only way from a run's record to JSON. What is not named here never leaves.

import type { WaitingFor } from '../../contract/turn.ts';
import { isTerminal } from '../../contract/names.ts';
import type { Decision, RunResponse } from '../../contract/run.ts';
import type { CallRecord, RecordedDecision } from '../../store/queries/call-record.ts';
import type { RunRecord } from '../../store/queries/run-record.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import { addressOf, cutsOf, NO_CUTS, type Cuts } from './cut-text.ts';
import { citationsOf, presentPending } from './present-pending.ts';

type ToolEntry = RunResponse['tools'][number];

/** `viewer`: whom it is shown to, for `youMay`. */
export function presentRun(run: RunRecord, viewer: Viewer): RunResponse {
  const cuts = cutsOf(run);
  const content = run.status === 'COMPLETED' ? cuts.message(run.content) : '';
  const paused = run.status === 'PAUSED' && run.pauseId !== null;
  const citations = citationsOf(run);
  return {
    runId: run.runId,
    sessionId: run.sessionId,
    agentId: run.agentId,
    userId: run.userId,
    orgId: run.orgId,
    status: run.status,
    input: cuts.message(run.input),
    content,
    output: content,
    metadata: {
      ...(run.model === null ? {} : { model: run.model }),
      promptTokens: run.promptTokens,
      completionTokens: run.completionTokens,
      totalTokens: run.promptTokens + run.completionTokens,
      ...(run.usageEstimated ? { usageEstimated: true as const } : {}),
      ...(run.status === 'COMPLETED' && run.finishReason !== null
        ? { finishReason: run.finishReason }
        : {}),
      ...(run.followUps === null ? {} : { followUps: run.followUps.map(cuts.text) }),
      ...(citations.length === 0 ? {} : { citations }),
      agentRevision: run.revision,
    },
    ...(run.status === 'RUNNING' && run.waiting != null
      ? { waitingFor: presentWaitingFor(run.waiting) }
      : {}),
    ...(run.held && !isTerminal(run.status) ? { heldBy: 'operator' as const } : {}),
    tools: run.calls.flatMap((call) => presentOutcome(run, call, cuts) ?? []),
    reasoningSteps: run.reasoning
      .flatMap(({ reasoning, text }) => [cuts.text(reasoning), cuts.text(text)])
      .filter((step) => step !== ''),
    ...(paused
      ? {
          pauseId: run.pauseId,
          pending: run.calls
            .filter((call) => call.pauseId === run.pauseId)
            .map((call) => presentPending(run, call, viewer, new Date(), cuts)),
        }
      : {}),
    ...(run.status === 'FAILED' && run.errorCode !== null
      ? { error: { code: run.errorCode, message: cuts.message(run.errorMessage ?? '') } }
      : {}),
    ...(run.cut === true ? { cut: addressOf(run.runId) } : {}),
    createdAt: run.createdAt.toISOString(),
    updatedAt: run.updatedAt.toISOString(),
  };
}

const presentWaitingFor = ({ what, since, lastProblem }: WaitingFor): WaitingFor => ({
  what,
  since,
  lastProblem,
});

const NOBODY_KNOWS =
  'It is not known whether this call happened: the run ended before an answer came.';

/**
 * The call's line in `tools`; undefined for one that has no outcome (yet), or was never dispatched.
 */
function presentOutcome(run: RunRecord, call: CallRecord, cuts: Cuts): ToolEntry | undefined {
  switch (call.state) {
    case 'SUCCEEDED':
      return entry(call, cuts, { result: call.result ?? '', isError: false });
    case 'FAILED':
    case 'REJECTED':
      return entry(call, cuts, { result: call.result ?? '', isError: true });
    case 'LEFT':
      return entry(call, cuts, {
        result: call.result ?? NOBODY_KNOWS,
        isError: true,
        outcome: 'UNKNOWN',
      });
    case 'DISPATCHING':
    case 'UNKNOWN':
      // In an open run a person is still going to be asked, or the answer is still awaited.
      return isTerminal(run.status)
        ? entry(call, cuts, {
            result: call.result ?? NOBODY_KNOWS,
            isError: true,
            outcome: 'UNKNOWN',
          })
        : undefined;
    case 'PROPOSED':
    case 'APPROVED':
    case 'CLOSED':
      return undefined;
  }
}

const entry = (
  call: CallRecord,
  cuts: Cuts,
  outcome: Pick<ToolEntry, 'result' | 'isError' | 'outcome'>,
): ToolEntry => ({
  callId: call.callId,
  name: call.name,
  arguments: cuts.arguments(call.arguments),
  ...outcome,
  result: cuts.text(outcome.result),
  durationMs: Math.max(0, Math.round(call.durationMs)),
  ...(call.httpStatus == null ? {} : { httpStatus: call.httpStatus }),
  ...(call.decision === null ? {} : { decision: presentDecision(call.decision, cuts) }),
});

export const presentDecision = (d: RecordedDecision, cuts: Cuts = NO_CUTS): Decision => ({
  action: d.action,
  by: [...d.by],
  at: d.at,
  ...(d.grantId == null ? {} : { grantId: d.grantId }),
  ...(d.reason === null ? {} : { reason: cuts.text(d.reason) }),
  ...(d.proposedArguments === null
    ? {}
    : { proposedArguments: cuts.arguments(d.proposedArguments) }),
});
