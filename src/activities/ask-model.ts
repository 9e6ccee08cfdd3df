// Asks a model for a turn's reply, streams it to readers, and stores what came of it: the reply, or
// the fault and what follows from it.

import { log } from '@temporalio/activity';
import { assertNever, isTerminal } from '../contract/names.ts';
import type { TurnReply } from '../contract/turn.ts';
import type { PublicAddresses } from '../egress/public-address.ts';
import {
  ModelError,
  type Model,
  type ModelDelta,
  type ModelReply,
  type ModelRequest,
} from '../models/model.ts';
import type { Store } from '../store/database/access.ts';
import { appendDeltas, repeatReply } from '../store/events/deltas.ts';
import type { Delta } from '../store/events/live-deltas.ts';
import { lockRun } from '../store/runs/runs.ts';
import { endWaiting, noteWaiting } from '../store/runs/waiting.ts';
import { endAttempt } from '../store/turns/attempts.ts';
import { recordReply } from '../store/turns/replies.ts';
import type { TurnWork } from '../store/turns/turns.ts';
import { afterFault, nextModel, type AfterFault } from './after-fault.ts';
import { annotated } from './annotated-reply.ts';
import { createDeltaPublisher } from './delta-publisher.ts';
import { endsRun, triedAgain } from './failures.ts';
import { withHeartbeat, type Heartbeat } from './heartbeat.ts';
import { untilStored } from './keep-trying.ts';
import { usageOf } from './reply-usage.ts';
import { loadCallMedia } from './call-media.ts';
import { loadMedia, type MediaByOwner } from './run-media.ts';
import { storedReply } from './stored-reply.ts';
import { offeredTools, transcriptOf } from './transcript.ts';
import { budgetProblem, timeOver, tooManyCalls } from './turn-budget.ts';

export interface AskModelDeps {
  readonly store: Store;
  readonly model: Model;
  /** Those that media may be fetched from. */
  readonly addresses: PublicAddresses;
  /** How long a run waits for a model that is away; 0: not at all. */
  readonly modelPatienceMs: number;
}

/** One attempt at a turn. */
export interface TurnAttempt {
  readonly runId: string;
  readonly turn: number;
  readonly attemptId: string;
  readonly work: TurnWork;
  /** `tell`: a model that is away is returned as `AWAY`. Else it is thrown, for another attempt. */
  readonly whenAway: 'tell' | undefined;
}

interface Asking extends TurnAttempt {
  /** The name that the model is asked under. */
  readonly name: string;
  readonly candidates: readonly string[];
}

export async function askModel(deps: AskModelDeps, attempt: TurnAttempt): Promise<TurnReply> {
  const { store } = deps;
  const { runId, turn, attemptId, work } = attempt;
  const { agent, options } = work;
  const candidates = [options.model ?? agent.model, ...agent.fallbackModels];
  const name = nextModel(candidates, work);
  const over = budgetProblem(work) ?? (name === undefined ? noAttemptLeft() : undefined);
  if (over !== undefined || name === undefined) {
    await store.asWorker((tx) => endAttempt(tx, runId, attemptId, {}));
    throw over;
  }
  const asking = { ...attempt, name, candidates };
  const leftMs = agent.limits.timeoutMs - work.activeMs;
  const { orgId } = work.run;
  const place = { runId, orgId, turn, seq: work.attemptSeq, first: work.hidden };
  const publisher = createDeltaPublisher(store, place);
  return withHeartbeat(store, { runId, attemptId, leftMs }, async (heartbeat) => {
    const media = await mediaFor(deps, attempt, heartbeat);
    const request = requestOf(asking, media, leftMs);
    let reply: ModelReply;
    try {
      reply = await deps.model.stream(request, {
        signal: heartbeat.signal,
        onDelta: endsWaiting(store, work, publisher.publish),
        onNotice: (notice) => log.warn(notice, { runId }),
      });
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      const next = await storeFault(deps, asking, error, await publisher.rest());
      if (error.fault !== 'ABORTED') return afterwards(attempt, next, error);
      if (heartbeat.reason() === 'TIME_OVER') throw timeOver(work);
      throw triedAgain('the call was stopped', undefined, error);
    }
    return storeReply(store, asking, { request, reply, unstored: await publisher.rest() });
  }).finally(publisher.close);
}

const noAttemptLeft = (): Error =>
  endsRun('MODEL_UNAVAILABLE', 'The model did not answer in several attempts. Try again later.');

function requestOf({ name, work }: Asking, media: MediaByOwner, leftMs: number): ModelRequest {
  const { agent, options } = work;
  const temperature = options.temperature ?? agent.temperature;
  const maxTokens = options.maxTokens ?? agent.maxTokens;
  return {
    model: name,
    tools: offeredTools(agent),
    ...(temperature === null ? {} : { temperature }),
    ...(maxTokens === null ? {} : { maxTokens }),
    messages: transcriptOf(work, media),
    silenceMs: agent.limits.modelTimeoutMs ?? leftMs,
  };
}

async function mediaFor(
  { store, addresses }: AskModelDeps,
  { runId, attemptId, work }: TurnAttempt,
  heartbeat: Heartbeat,
): Promise<MediaByOwner> {
  try {
    const given = await loadMedia({ store, addresses }, work, heartbeat.signal);
    return new Map([...given, ...(await loadCallMedia(store, work))]);
  } catch (error) {
    await store.asWorker((tx) => endAttempt(tx, runId, attemptId, {}));
    if (heartbeat.reason() === 'TIME_OVER') throw timeOver(work);
    throw heartbeat.signal.aborted ? triedAgain('the call was stopped', undefined, error) : error;
  }
}

/** With the first text of a model that was waited for, readers learn that the wait is over. */
function endsWaiting(
  store: Store,
  { waiting, run }: TurnWork,
  publish: (delta: ModelDelta) => void,
): (delta: ModelDelta) => void {
  let ended = waiting === null;
  return (delta) => {
    publish(delta);
    if (ended) return;
    ended = true;
    store.asWorker((tx) => endWaiting(tx, run.runId)).catch(() => undefined);
  };
}

/** Returns what follows from the fault. */
async function storeFault(
  { store, modelPatienceMs }: AskModelDeps,
  { runId, turn, attemptId, work, name, candidates }: Asking,
  error: ModelError,
  unstored: readonly Delta[],
): Promise<AfterFault> {
  const usage = error.usage === null ? undefined : { ...error.usage, estimated: false };
  const aborted = error.fault === 'ABORTED';
  const next = afterFault(error, {
    ...{ turn, name, candidates, work },
    patienceMs: modelPatienceMs,
    now: Date.now(),
  });
  await untilStored(() =>
    store.asWorker(async (tx) => {
      const run = await lockRun(tx, runId);
      appendDeltas(tx, runId, work.run.orgId, unstored);
      if (!aborted && next.kind === 'WAIT' && run !== undefined && !isTerminal(run.status))
        await noteWaiting(tx, runId, next.waiting);
      const fault = aborted ? undefined : error.fault;
      endAttempt(tx, runId, attemptId, { usage, model: name, fault });
    }),
  );
  return next;
}

/** A fault is returned to the workflow, or thrown, for Temporal to try again or to end the run. */
function afterwards(
  { runId, turn, whenAway }: TurnAttempt,
  next: AfterFault,
  error: ModelError,
): TurnReply {
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
        return { kind: 'AWAY', waitingFor: { what, since, lastProblem }, afterMs: next.afterMs };
      throw triedAgain(error.message, next.afterMs, error);
    }
    default:
      return assertNever(next);
  }
}

interface Replied {
  readonly request: ModelRequest;
  readonly reply: ModelReply;
  readonly unstored: readonly Delta[];
}

async function storeReply(
  store: Store,
  { runId, turn, attemptId, work, name }: Asking,
  { request, reply, unstored }: Replied,
): Promise<TurnReply> {
  const { agent } = work;
  const { orgId } = work.run;
  const usage = usageOf(reply, request.messages);
  const tooMany = tooManyCalls(agent, reply.toolCalls.length);
  if (tooMany !== undefined) {
    await untilStored(() =>
      store.asWorker(async (tx) => {
        appendDeltas(tx, runId, orgId, unstored);
        endAttempt(tx, runId, attemptId, { usage, model: reply.model });
      }),
    );
    throw tooMany;
  }
  const stored = storedReply(reply, name, work, runId, turn);
  const recorded = await untilStored(() =>
    store.asWorker(async (tx) => {
      const written = await recordReply(tx, runId, turn, attemptId, stored, usage, agent);
      if (written.kind !== 'GONE') appendDeltas(tx, runId, orgId, unstored);
      if (written.kind === 'RECORDED' && written.overtaken)
        await repeatReply(tx, runId, turn, work.attemptSeq);
      return written;
    }),
  );
  if (recorded.kind === 'ENDED') return recorded;
  if (recorded.kind === 'GONE') throw endsRun('INTERNAL', 'The record of this run is gone.');
  return annotated(recorded.reply, agent);
}
