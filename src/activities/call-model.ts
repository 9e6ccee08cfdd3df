// One model call of a turn. A repeated attempt finds its own reply; the workflow gets ids and
// decisions, the store the text.

import { randomUUID } from 'node:crypto';
import { log } from '@temporalio/activity';
import { assertNever, isTerminal } from '../contract/names.ts';
import type { TurnReply } from '../contract/turn.ts';
import { ModelError, type Model, type ModelDelta, type ModelReply } from '../models/model.ts';
import { publicAddresses } from '../egress/public-address.ts';
import type { Store } from '../store/database/access.ts';
import { appendDeltas, sayAgain } from '../store/events/deltas.ts';
import { beginTurn, type TurnWork } from '../store/turns/turns.ts';
import { lockRun } from '../store/runs/runs.ts';
import { endWaiting, noteWaiting } from '../store/runs/waiting.ts';
import { endAttempt } from '../store/turns/attempts.ts';
import { recordReply } from '../store/turns/replies.ts';
import { afterFault, nextModel, type AfterFault } from './after-fault.ts';
import { annotated } from './annotated-reply.ts';
import { createDeltaPublisher } from './delta-publisher.ts';
import { endsRun, failureOf, triedAgain } from './failures.ts';
import { withHeartbeat, type Heartbeat } from './heartbeat.ts';
import { untilStored } from './keep-trying.ts';
import { usageOf } from './reply-usage.ts';
import { loadMedia, type MediaByRun } from './run-media.ts';
import { storedReply } from './stored-reply.ts';
import { offeredTools, transcriptOf } from './transcript.ts';
import { budgetProblem, timeOver, tooManyCalls } from './turn-budget.ts';

export interface CallModelDeps {
  readonly store: Store;
  readonly model: Model;
  /** Addresses that media may be fetched from though they are no public ones. */
  readonly egressAllow?: readonly string[];
  /** How long a run waits for a model that is away; 0: not at all. */
  readonly modelPatienceMs?: number;
}

export interface CallModelRequest {
  readonly runId: string;
  readonly turn: number;
  /**
   * `tell`: the caller wants to be told once the model is away, and calls again. Else the call
   * waits by itself, from attempt to attempt.
   */
  readonly whenAway?: 'tell' | undefined;
}

export function createCallModel({
  store,
  model,
  egressAllow = [],
  modelPatienceMs = 0,
}: CallModelDeps) {
  const addresses = publicAddresses(egressAllow);
  return async function callModel({ runId, turn, whenAway }: CallModelRequest): Promise<TurnReply> {
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
        case 'BEHIND':
          throw endsRun(begun.failure.code, begun.failure.message);
        case 'REPLIED':
          if (begun.activeMs >= begun.agent.limits.timeoutMs) throw timeOver(begun);
          return annotated(begun.reply, begun.agent);
        case 'WORK':
          return await ask({ runId, turn, whenAway }, attemptId, begun.work);
        default:
          return assertNever(begun);
      }
    } catch (error) {
      throw failureOf(error);
    }
  };

  async function ask(
    request: CallModelRequest,
    attemptId: string,
    work: TurnWork,
  ): Promise<TurnReply> {
    const { runId, turn } = request;
    const { agent, options } = work;
    const over = budgetProblem(work);
    const candidates = [options.model ?? agent.model, ...agent.fallbackModels];
    const name = nextModel(candidates, work);
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
    const leftMs = agent.limits.timeoutMs - work.activeMs;
    const { orgId } = work.run;
    const publisher = createDeltaPublisher(store, {
      runId,
      orgId,
      turn,
      seq: work.attemptSeq,
      first: work.hidden,
    });
    return withHeartbeat(store, { runId, attemptId, leftMs }, async (line) => {
      const sent = {
        ...asked,
        messages: transcriptOf(work, await mediaFor(work, attemptId, line)),
        silenceMs: agent.limits.modelTimeoutMs ?? leftMs,
      };
      let reply: ModelReply;
      try {
        reply = await model.stream(sent, {
          signal: line.signal,
          onDelta: backAgain(work, publisher.publish),
          onNotice: (notice) => log.warn(notice, { runId }),
        });
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        const usage = error.usage === null ? undefined : { ...error.usage, estimated: false };
        const ours = error.fault === 'ABORTED';
        const said = await publisher.rest();
        const next = afterFault(error, {
          ...{ turn, name, candidates, work },
          patienceMs: modelPatienceMs,
          now: Date.now(),
        });
        await untilStored(() =>
          store.asWorker(async (tx) => {
            const run = await lockRun(tx, runId);
            appendDeltas(tx, runId, orgId, said);
            if (!ours && next.kind === 'WAIT' && run !== undefined && !isTerminal(run.status))
              await noteWaiting(tx, runId, next.waiting);
            endAttempt(tx, runId, attemptId, {
              usage,
              model: name,
              fault: ours ? undefined : error.fault,
            });
          }),
        );
        if (ours && line.reason() === 'TIME_OVER') throw timeOver(work);
        if (ours) throw triedAgain('the call was stopped', undefined, error);
        return await afterwards(request, next, error);
      }
      const said = await publisher.rest();
      const tooMany = tooManyCalls(agent, reply.toolCalls.length);
      if (tooMany !== undefined) {
        const usage = usageOf(reply, sent.messages);
        await untilStored(() =>
          store.asWorker(async (tx) => {
            appendDeltas(tx, runId, orgId, said);
            endAttempt(tx, runId, attemptId, { usage, model: reply.model });
          }),
        );
        throw tooMany;
      }
      const stored = storedReply(reply, name, work, runId, turn);
      const recorded = await untilStored(() =>
        store.asWorker(async (tx) => {
          const written = await recordReply(
            tx,
            runId,
            turn,
            attemptId,
            stored,
            usageOf(reply, sent.messages),
            agent,
          );
          if (written.kind !== 'GONE') appendDeltas(tx, runId, orgId, said);
          if (written.kind === 'RECORDED' && written.overtaken)
            await sayAgain(tx, runId, turn, work.attemptSeq);
          return written;
        }),
      );
      if (recorded.kind === 'ENDED') return recorded;
      if (recorded.kind === 'GONE') throw endsRun('INTERNAL', 'The record of this run is gone.');
      return annotated(recorded.reply, agent);
    }).finally(publisher.close);
  }

  /** What a fault leads to: told to the workflow, or thrown, for Temporal to call again or to end. */
  async function afterwards(
    { runId, turn, whenAway }: CallModelRequest,
    next: AfterFault,
    error: ModelError,
  ): Promise<TurnReply> {
    switch (next.kind) {
      case 'END':
        throw next.failure;
      case 'AGAIN':
        throw triedAgain(error.message, next.afterMs, error);
      case 'WAIT': {
        const { what, since, lastProblem, tries } = next.waiting;
        if (tries === 0)
          log.warn('the model is away, the run waits for it', { runId, turn, lastProblem });
        if (whenAway === 'tell')
          return {
            kind: 'AWAY',
            waitingFor: { what, since, lastProblem },
            afterMs: next.afterMs,
          };
        throw triedAgain(error.message, next.afterMs, error);
      }
      default:
        return assertNever(next);
    }
  }

  /** With the first word of a model that was waited for, readers are not told to wait any more. */
  function backAgain(
    work: TurnWork,
    publish: (delta: ModelDelta) => void,
  ): (delta: ModelDelta) => void {
    let told = work.waiting === null;
    return (delta) => {
      publish(delta);
      if (told) return;
      told = true;
      store.asWorker((tx) => endWaiting(tx, work.run.runId)).catch(() => undefined);
    };
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
