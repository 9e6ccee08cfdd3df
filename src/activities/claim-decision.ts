// What a pause has come to. The store is asked, whatever woke the workflow; an operator's signal is
// first cast as a vote like any other.

import { z } from 'zod';
import { AppError } from '../contract/errors.ts';
import { assertNever, SIGNAL, type DecisionSignal } from '../contract/names.ts';
import type { PauseName, PauseState } from '../contract/turn.ts';
import { plainWords } from '../json/visible.ts';
import type { Store } from '../store/database/access.ts';
import { pauseIdOf } from '../store/calls/call-hash.ts';
import { readPause, type PauseOutcome } from '../store/calls/decisions.ts';
import { decisionsInWords } from '../store/calls/shown-decisions.ts';
import { castVotes } from '../store/calls/votes.ts';
import type { OperatorDecisions, VoteRequest } from '../store/calls/vote-policy.ts';
import { lockRun } from '../store/runs/runs.ts';
import { endedAs } from '../store/runs/runs.ts';
import { failureOf } from './failures.ts';

export interface ClaimDecisionRequest {
  readonly runId: string;
  readonly pause: PauseName;
  readonly signals: readonly SignalToCast[];
}

/** `id` and `pauseId` (the pause shown when it came) are missing in what the first release asks. */
interface SignalToCast {
  readonly id?: string;
  readonly name: DecisionSignal;
  readonly payload: unknown;
  readonly pauseId?: string;
}

/** What an operator may type beside the signal's name. */
const PayloadSchema = z
  .strictObject({
    callId: z.string().max(100).optional(),
    reason: z.string().max(2000).optional(),
    argumentsHash: z.string().max(100).optional(),
    pauseId: z.string().max(100).optional(),
  })
  .nullable();

/** A note is shown below the pause: many signals may come at once. */
const NOTE_MAX_CHARS = 1000;

export function createClaimDecision({
  store,
  operatorDecisions,
}: {
  readonly store: Store;
  readonly operatorDecisions: OperatorDecisions;
}) {
  return async function claimDecision(request: ClaimDecisionRequest): Promise<PauseState> {
    try {
      const { pause } = request;
      const pauseId =
        'pauseId' in pause ? pause.pauseId : pauseIdOf(request.runId, pause.turn, pause.n);
      const notes: string[] = [];
      for (const signal of request.signals) {
        const note = await castForOperator(request.runId, pauseId, signal);
        if (note !== undefined) notes.push(note);
      }
      const state = await store.asWorker(async (tx): Promise<PauseState> => {
        const run = await lockRun(tx, request.runId);
        if (run === undefined)
          return {
            kind: 'ENDED',
            status: 'FAILED',
            failure: { code: 'INTERNAL', message: 'The record of this run is gone.' },
          };
        const ended = endedAs(run);
        if (ended !== undefined) return ended;
        const outcome = await readPause(tx, run, pauseId);
        if (!outcome.known) return { kind: 'NOT_OPENED' };
        return outcome.open
          ? { kind: 'OPEN', expiresInMs: outcome.expiresInMs }
          : decidedState(outcome);
      });
      return state.kind === 'ENDED' || state.kind === 'NOT_OPENED' || notes.length === 0
        ? state
        : { ...state, note: plainWords(notes.join(' ').slice(0, NOTE_MAX_CHARS)) };
    } catch (error) {
      throw failureOf(error);
    }
  };

  /** A note where the signal changed nothing. */
  async function castForOperator(
    runId: string,
    asked: string,
    signal: SignalToCast,
  ): Promise<string | undefined> {
    const parsed = PayloadSchema.safeParse(signal.payload);
    if (!parsed.success)
      return `The signal ${signal.name} was not understood: it takes nothing, or one object with callId, reason, argumentsHash, pauseId. It changed nothing.`;
    const { callId, pauseId, argumentsHash, reason } = parsed.data ?? {};
    const action = actionOf(signal.name);
    if (argumentsHash !== undefined && callId === undefined)
      return `The signal ${signal.name} has an argumentsHash but no callId. It changed nothing.`;
    const shownPauseId = signal.pauseId ?? asked;
    if (shownPauseId !== asked)
      return `The signal ${signal.name} came while another pause was shown. It changed nothing.`;
    const request: VoteRequest = {
      id: signal.id,
      pauseId,
      shownPauseId,
      votes:
        callId === undefined
          ? { all: { action, reason } }
          : { each: [{ callId, action, reason, argumentsHash }] },
    };
    try {
      const result = await store.asWorker(async (tx) => {
        const run = await lockRun(tx, runId);
        if (run === undefined || endedAs(run) !== undefined) return undefined;
        return castVotes(
          tx,
          run,
          { kind: 'operator', allowed: operatorDecisions },
          request,
          () => ({
            problem: 'an operator does not edit',
          }),
        );
      });
      if (result !== undefined && 'refused' in result) throw result.refused;
      return undefined;
    } catch (error) {
      if (error instanceof AppError)
        return `The signal ${signal.name} changed nothing: ${error.detail}`;
      throw error;
    }
  }
}

/** `withdrawn` only where there are such calls: all others are as they always were. */
const decidedState = ({ approved, withdrawn, decisions }: PauseOutcome): PauseState => ({
  kind: 'DECIDED',
  approved,
  ...(withdrawn.length === 0 ? {} : { withdrawn }),
  said: decisionsInWords(decisions),
});

function actionOf(name: DecisionSignal): 'APPROVE' | 'REJECT' {
  switch (name) {
    case SIGNAL.approve:
      return 'APPROVE';
    case SIGNAL.reject:
      return 'REJECT';
    default:
      return assertNever(name);
  }
}
