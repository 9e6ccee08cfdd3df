// The only way from a run's record, and from an agent's snapshot, to JSON. What is not named here
// never leaves.

import type { AgentSnapshot } from '../../contract/agent.ts';
import type { Conversation, Message, Session } from '../../contract/lists.ts';
import { isTerminal } from '../../contract/names.ts';
import type { Decision, RunResponse } from '../../contract/run.ts';
import type { CallRecord, RecordedDecision, RunRecord } from '../../store/queries/run-record.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import type { ExchangeRecord, SessionRecord } from '../../store/runs/sessions.ts';

import { argumentsOf, presentPending } from './present-pending.ts';

type ToolEntry = RunResponse['tools'][number];

/** `viewer`: whom it is shown to, for `youMay`. */
export function presentRun(run: RunRecord, viewer: Viewer): RunResponse {
  const content = run.status === 'COMPLETED' ? run.content : '';
  const paused = run.status === 'PAUSED' && run.pauseId !== null;
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
      agentRevision: run.revision,
    },
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
  ...(call.decision === null ? {} : { decision: presentDecision(call.decision) }),
});

export const presentDecision = (d: RecordedDecision): Decision => ({
  action: d.action,
  by: [...d.by],
  at: d.at,
  ...(d.reason === null ? {} : { reason: d.reason }),
  ...(d.proposedArguments === null ? {} : { proposedArguments: argumentsOf(d.proposedArguments) }),
});

export const presentSession = (s: SessionRecord): Session => ({
  sessionId: s.sessionId,
  agentId: s.agentId,
  userId: s.userId,
  orgId: s.orgId,
  runCount: s.runCount,
  createdAt: s.createdAt.toISOString(),
  updatedAt: s.updatedAt.toISOString(),
});

export const presentConversation = (
  session: SessionRecord,
  exchanges: readonly ExchangeRecord[],
): Conversation => ({
  ...presentSession(session),
  messages: exchanges.flatMap(({ runId, question, askedAt, answer, answeredAt }): Message[] => [
    { role: 'user', content: question, runId, createdAt: askedAt.toISOString() },
    { role: 'assistant', content: answer, runId, createdAt: answeredAt.toISOString() },
  ]),
});

export interface AgentResponse {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly is_team: boolean;
  readonly model: string;
  readonly models: readonly string[];
  readonly vision: boolean;
  readonly audio: boolean;
  readonly tools: readonly {
    readonly name: string;
    readonly description: string;
    readonly approval: 'required' | 'never';
  }[];
  readonly active: boolean;
}

/** Instructions and tools' addresses are never shown. */
export const presentAgent = (agent: AgentSnapshot): AgentResponse => ({
  id: agent.id,
  name: agent.name,
  description: agent.description,
  is_team: false,
  model: agent.model,
  models: agent.models,
  vision: agent.vision,
  audio: agent.audio,
  tools: agent.tools.map(({ name, description, approval }) => ({ name, description, approval })),
  active: agent.active,
});
