// One model call of a turn. A repeated attempt finds its own reply; the workflow gets ids and
// decisions, the store the text.

import { randomUUID } from 'node:crypto';
import { log } from '@temporalio/activity';
import { assertNever } from '../contract/names.ts';
import type { TurnReply } from '../contract/turn.ts';
import { ModelError, type Model, type ModelReply } from '../models/model.ts';
import { publicAddresses } from '../egress/public-address.ts';
import type { Store } from '../store/database/access.ts';
import { appendDeltas, sayAgainIfOvertaken } from '../store/events/deltas.ts';
import { beginTurn, endAttempt, recordReply, type TurnWork } from '../store/turns/turns.ts';
import { afterFault, ATTEMPTS_PER_MODEL } from './after-fault.ts';
import { annotated } from './annotated-reply.ts';
import { createDeltaPublisher } from './delta-publisher.ts';
import { endsRun, failureOf, triedAgain } from './failures.ts';
import { withHeartbeat, type Heartbeat } from './heartbeat.ts';
import { untilStored } from './keep-trying.ts';
import { usageOf } from './reply-usage.ts';
import { loadMedia, type MediaByRun } from './run-media.ts';
import { storedReply } from './stored-reply.ts';
import { offeredTools, transcriptOf } from './transcript.ts';
import { budgetProblem, timeOver } from './turn-budget.ts';

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
    const leftMs = agent.limits.timeoutMs - work.activeMs;
    const { orgId } = work.run;
    const publisher = createDeltaPublisher(store, {
      runId,
      orgId,
      turn,
      seq: work.attemptSeq,
      first: work.attempts === 0,
    });
    return withHeartbeat(store, { runId, attemptId, leftMs }, async (line) => {
      const request = {
        ...asked,
        messages: transcriptOf(work, await mediaFor(work, attemptId, line)),
        silenceMs: agent.limits.modelTimeoutMs ?? leftMs,
      };
      let reply: ModelReply;
      try {
        reply = await model.stream(request, {
          signal: line.signal,
          onDelta: publisher.say,
          onNotice: (notice) => log.warn(notice, { runId }),
        });
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
      const stored = storedReply(reply, name, work, runId, turn);
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
    }).finally(publisher.close);
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
