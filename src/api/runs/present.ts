// The only way from a run's record to JSON. What is not named here never leaves.

import type { WaitingFor } from '../../contract/turn.ts';
import { isTerminal } from '../../contract/names.ts';
import type { Decision, RunResponse } from '../../contract/run.ts';
import type { CallRecord, RecordedDecision, RunRecord } from '../../store/queries/run-record.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import { argumentsOf, citationsOf, presentPending } from './present-pending.ts';

type ToolEntry = RunResponse['tools'][number];

/** `viewer`: whom it is shown to, for `youMay`. */
export function presentRun(run: RunRecord, viewer: Viewer): RunResponse {
  const content = run.status === 'COMPLETED' ? run.content : '';
  const paused = run.status === 'PAUSED' && run.pauseId !== null;
  const citations = citationsOf(run);
  return {
    runId: run.runId,
    sessionId: run.sessionId,
    agentId: run.agentId,
    userId: run.userId,
    orgId: run.orgId,
    status: run.status,
    input: run.input,
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
      ...(run.followUps === null ? {} : { followUps: [...run.followUps] }),
      ...(citations.length === 0 ? {} : { citations }),
      agentRevision: run.revision,
    },
    ...(run.status === 'RUNNING' && run.waiting != null
      ? { waitingFor: presentWaitingFor(run.waiting) }
      : {}),
    ...(run.held && !isTerminal(run.status) ? { heldBy: 'operator' as const } : {}),
    tools: run.calls.flatMap((call) => presentOutcome(run, call) ?? []),
    reasoningSteps: run.reasoning
      .flatMap(({ reasoning, text }) => [reasoning, text])
      .filter((step) => step !== ''),
    ...(paused
      ? {
          pauseId: run.pauseId,
          pending: run.calls
            .filter((call) => call.pauseId === run.pauseId)
            .map((call) => presentPending(run, call, viewer)),
        }
      : {}),
    ...(run.status === 'FAILED' && run.errorCode !== null
      ? { error: { code: run.errorCode, message: run.errorMessage ?? '' } }
      : {}),
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
function presentOutcome(run: RunRecord, call: CallRecord): ToolEntry | undefined {
  switch (call.state) {
    case 'SUCCEEDED':
      return entry(call, { result: call.result ?? '', isError: false });
    case 'FAILED':
    case 'REJECTED':
      return entry(call, { result: call.result ?? '', isError: true });
    case 'LEFT':
      return entry(call, {
        result: call.result ?? NOBODY_KNOWS,
        isError: true,
        outcome: 'UNKNOWN',
      });
    case 'DISPATCHING':
    case 'UNKNOWN':
      // In an open run a person is still going to be asked, or the answer is still awaited.
      return isTerminal(run.status)
        ? entry(call, { result: call.result ?? NOBODY_KNOWS, isError: true, outcome: 'UNKNOWN' })
        : undefined;
    case 'PROPOSED':
    case 'APPROVED':
    case 'CLOSED':
      return undefined;
  }
}

const entry = (
  call: CallRecord,
  outcome: Pick<ToolEntry, 'result' | 'isError' | 'outcome'>,
): ToolEntry => ({
  callId: call.callId,
  name: call.name,
  arguments: argumentsOf(call.arguments),
  ...outcome,
  durationMs: Math.max(0, Math.round(call.durationMs)),
  ...(call.httpStatus == null ? {} : { httpStatus: call.httpStatus }),
  ...(call.decision === null ? {} : { decision: presentDecision(call.decision) }),
});

export const presentDecision = (d: RecordedDecision): Decision => ({
  action: d.action,
  by: [...d.by],
  at: d.at,
  ...(d.reason === null ? {} : { reason: d.reason }),
  ...(d.proposedArguments === null ? {} : { proposedArguments: argumentsOf(d.proposedArguments) }),
});
