// One model call of a turn. A repeated attempt finds its own reply; the workflow gets ids and
// decisions, the store the text.

import { randomUUID } from 'node:crypto';
import type { AgentSnapshot } from '../contract/agent.ts';
import { assertNever } from '../contract/names.ts';
import type { AnnotatedCall, TurnReply } from '../contract/turn.ts';
import { storable } from '../json/storable.ts';
import { estimateTokens } from '../models/estimate-tokens.ts';
import { ModelError, type Model, type ModelReply, type ModelToolCall } from '../models/model.ts';
import { publicAddresses } from '../egress/public-address.ts';
import type { Store } from '../store/database/access.ts';
import { callIdOf, hashOfCall, shortDigest } from '../store/calls/call-hash.ts';
import { appendDeltas, sayAgainIfOvertaken } from '../store/events/deltas.ts';
import {
  beginTurn,
  endAttempt,
  recordReply,
  type StoredCall,
  type StoredReply,
  type TurnWork,
  type TokenUsage,
} from '../store/turns/turns.ts';
import { checkArguments } from '../tools/arguments.ts';
import { callLabel } from '../tools/label.ts';
import { createDeltaPublisher } from './delta-publisher.ts';
import { codeOfFault, endsRun, failureOf, fallsBack, triedAgain } from './failures.ts';
import { withHeartbeat, type Heartbeat } from './heartbeat.ts';
import { loadMedia, type MediaByRun } from './run-media.ts';
import { untilStored } from './keep-trying.ts';
import { offeredTools, transcriptOf } from './transcript.ts';

export interface CallModelDeps {
  readonly store: Store;
  readonly model: Model;
  /** Addresses that media may be fetched from though they are no public ones. */
  readonly egressAllow?: readonly string[];
}

export interface CallModelRequest {
  readonly runId: string;
  readonly turn: number;
}

/**
 * Attempts of one model, counted by its own faults, before the next one is asked or the run ends.
 */
const ATTEMPTS_PER_MODEL = 3;

export function createCallModel({ store, model, egressAllow = [] }: CallModelDeps) {
  const addresses = publicAddresses(egressAllow);
  return async function callModel({ runId, turn }: CallModelRequest): Promise<TurnReply> {
    const attemptId = randomUUID();
    try {
      const begun = await store.asWorker((tx) => beginTurn(tx, runId, turn, attemptId));
      switch (begun.kind) {
        case 'GONE':
          return {
            kind: 'ENDED',
            status: 'FAILED',
            failure: { code: 'INTERNAL', message: 'The record of this run is gone.' },
          };
        case 'ENDED':
          return begun;
        case 'REPLIED':
          return annotated(begun.reply, begun.agent);
        case 'WORK':
          return await ask(runId, turn, attemptId, begun.work);
        default:
          return assertNever(begun);
      }
    } catch (error) {
      throw failureOf(error);
    }
  };

  async function ask(
    runId: string,
    turn: number,
    attemptId: string,
    work: TurnWork,
  ): Promise<TurnReply> {
    const { agent, options } = work;
    const over = budgetProblem(work);
    const candidates = [options.model ?? agent.model, ...agent.fallbackModels];
    const name = candidates.find(
      (candidate) => (work.faults.get(candidate) ?? 0) < ATTEMPTS_PER_MODEL,
    );
    if (over !== undefined || name === undefined) {
      await store.asWorker((tx) => endAttempt(tx, runId, attemptId, {}));
      throw (
        over ??
        endsRun(
          'MODEL_UNAVAILABLE',
          'The model did not answer in several attempts. Try again later.',
        )
      );
    }
    const temperature = options.temperature ?? agent.temperature;
    const maxTokens = options.maxTokens ?? agent.maxTokens;
    const asked = {
      model: name,
      tools: offeredTools(agent),
      ...(temperature === null ? {} : { temperature }),
      ...(maxTokens === null ? {} : { maxTokens }),
    };
    const { orgId } = work.run;
    const publisher = createDeltaPublisher(store, {
      runId,
      orgId,
      turn,
      seq: work.attemptSeq,
      first: work.attempts === 0,
    });
    return withHeartbeat(
      store,
      { runId, attemptId, leftMs: agent.limits.timeoutMs - work.activeMs },
      async (line) => {
        const request = {
          ...asked,
          messages: transcriptOf(work, await mediaFor(work, attemptId, line)),
        };
        let reply: ModelReply;
        try {
          reply = await model.stream(request, { signal: line.signal, onDelta: publisher.say });
        } catch (error) {
          if (!(error instanceof ModelError)) throw error;
          const usage = error.usage === null ? undefined : { ...error.usage, estimated: false };
          const ours = error.fault === 'ABORTED';
          const said = await publisher.rest();
          await untilStored(() =>
            store.asWorker(async (tx) => {
              await appendDeltas(tx, runId, orgId, said);
              await endAttempt(tx, runId, attemptId, {
                usage,
                model: name,
                fault: ours ? undefined : error.fault,
              });
            }),
          );
          if (ours && line.reason() === 'TIME_OVER') throw timeOver(work);
          throw ours
            ? triedAgain('the call was stopped', undefined, error)
            : afterFault(error, name, candidates, work);
        }
        const stored = storedReply(reply, work, runId, turn);
        const said = await publisher.rest();
        const recorded = await untilStored(() =>
          store.asWorker(async (tx) => {
            const written = await recordReply(
              tx,
              runId,
              turn,
              attemptId,
              stored,
              usageOf(reply, request.messages),
            );
            if (written.kind !== 'GONE') await appendDeltas(tx, runId, orgId, said);
            if (written.kind === 'RECORDED' && written.reply === stored)
              await sayAgainIfOvertaken(tx, runId, turn, work.attemptSeq);
            return written;
          }),
        );
        if (recorded.kind === 'ENDED') return recorded;
        if (recorded.kind === 'GONE') throw endsRun('INTERNAL', 'The record of this run is gone.');
        return annotated(recorded.reply, agent);
      },
    ).finally(publisher.close);
  }

  async function mediaFor(
    work: TurnWork,
    attemptId: string,
    heartbeat: Heartbeat,
  ): Promise<MediaByRun> {
    try {
      return await loadMedia({ store, addresses }, work, heartbeat.signal);
    } catch (error) {
      await store.asWorker((tx) => endAttempt(tx, work.run.runId, attemptId, {}));
      if (heartbeat.reason() === 'TIME_OVER') throw timeOver(work);
      throw heartbeat.signal.aborted ? triedAgain('the call was stopped', undefined, error) : error;
    }
  }
}

function budgetProblem(work: TurnWork): Error | undefined {
  const { limits } = work.agent;
  if (work.tokens >= limits.maxTotalTokens)
    return endsRun(
      'BUDGET_EXCEEDED',
      `The run was stopped before its next model call: it has used ${work.tokens} tokens, limits.maxTotalTokens is ${limits.maxTotalTokens}.`,
    );
  if (work.activeMs >= limits.timeoutMs) return timeOver(work);
  return undefined;
}

const timeOver = ({ agent }: TurnWork): Error =>
  endsRun(
    'BUDGET_EXCEEDED',
    `The run took longer than limits.timeoutMs (${agent.limits.timeoutMs} ms).`,
  );

/**
 * Tried again, or the run's end: the model's third fault is the last, unless another model may be
 * asked.
 */
function afterFault(
  error: ModelError,
  name: string,
  candidates: readonly string[],
  work: TurnWork,
): Error {
  const faults = (work.faults.get(name) ?? 0) + 1;
  const others = candidates.some(
    (candidate) => candidate !== name && (work.faults.get(candidate) ?? 0) < ATTEMPTS_PER_MODEL,
  );
  const again = error.retryable && (faults < ATTEMPTS_PER_MODEL || (fallsBack(error) && others));
  if (again) return triedAgain(error.message, error.retryAfterMs, error);
  return endsRun(
    codeOfFault(error.fault === 'ABORTED' ? 'UNAVAILABLE' : error.fault),
    error.message,
    error,
  );
}

function usageOf(reply: ModelReply, messages: ReturnType<typeof transcriptOf>): TokenUsage {
  if (reply.usage !== null) return { ...reply.usage, estimated: false };
  const sent = messages.reduce((sum, message) => sum + estimateTokens(message.text), 0);
  const received = [
    reply.text,
    reply.reasoning,
    ...reply.toolCalls.map((call) => call.name + call.argumentsText),
  ];
  return {
    promptTokens: sent,
    completionTokens: received.reduce((sum, text) => sum + estimateTokens(text), 0),
    estimated: true,
  };
}

function storedReply(reply: ModelReply, work: TurnWork, runId: string, turn: number): StoredReply {
  return {
    kind: reply.toolCalls.length === 0 ? 'ANSWER' : 'CALLS',
    text: storable(reply.text).text,
    reasoning: storable(reply.reasoning).text,
    model: reply.model,
    finishReason: reply.finishReason,
    calls: reply.toolCalls.map((call, idx) => storedCall(call, idx, work, runId, turn)),
  };
}

/**
 * The arguments are checked before anything is asked or run; what fails is answered with a tool
 * error.
 */
function storedCall(
  call: ModelToolCall,
  idx: number,
  work: TurnWork,
  runId: string,
  turn: number,
): StoredCall {
  const callId = callIdOf(runId, turn, idx);
  const name = storable(call.name).text.slice(0, 200);
  const tool = work.agent.tools.find((t) => t.name === call.name);
  const base = {
    callId,
    idx,
    name,
    toolVersion: tool?.version ?? '',
    risk: tool?.risk ?? ('normal' as const),
    approvers: tool?.approvers ?? null,
  };
  const checked =
    tool === undefined
      ? { ok: false as const, problem: unknownTool(name, work.agent) }
      : checkArguments(call.argumentsText, tool);
  const text = checked.ok ? checked.canonical : (shownArguments(call.argumentsText) ?? '{}');
  return {
    ...base,
    arguments: text,
    argumentsHash: hashOfCall({
      orgId: work.run.orgId,
      runId,
      callId,
      tool: name,
      toolVersion: base.toolVersion,
      arguments: text,
    }),
    approval: tool?.approval ?? 'never',
    retry: tool?.readOnly ? 'readOnly' : tool?.idempotent ? 'idempotent' : 'never',
    refusal: checked.ok
      ? null
      : `The call was not run: ${checked.problem}${text === '{}' ? ` The arguments were: ${storable(call.argumentsText).text.slice(0, 2000)}` : ''}`,
  };
}

const unknownTool = (name: string, agent: AgentSnapshot): string =>
  `there is no tool "${name}". ${agent.tools.length === 0 ? 'There are no tools.' : `The tools are: ${agent.tools.map((t) => t.name).join(', ')}.`}`;

/**
 * Arguments that are an object but fail the schema are shown as they came; anything else is shown
 * as {}.
 */
function shownArguments(text: string): string | undefined {
  const free = checkArguments(text, undefined);
  return free.ok ? free.canonical : undefined;
}

/** What the workflow needs to know of a reply. */
function annotated(reply: StoredReply, agent: AgentSnapshot): TurnReply {
  if (reply.kind === 'ANSWER') return { kind: 'ANSWER', model: reply.model };
  return {
    kind: 'CALLS',
    model: reply.model,
    calls: reply.calls.map((call) => annotatedCall(call, agent)),
  };
}

const annotatedCall = (call: StoredCall, agent: AgentSnapshot): AnnotatedCall => ({
  callId: call.callId,
  tool: call.name.slice(0, 80),
  label: callLabel(call.name, JSON.parse(call.arguments) as Record<string, unknown>),
  approval: call.approval,
  risk: call.risk,
  retry: call.retry,
  quick: agent.tools.find((tool) => tool.name === call.name)?.quick ?? false,
  fingerprint: shortDigest(`${call.name} ${call.arguments}`),
  ...(call.refusal === null ? {} : { refused: { resultDigest: shortDigest(call.refusal) } }),
});
