// What a pause has come to. The store is asked, whatever woke the workflow; an operator's signal is
// first cast as a vote like any other.

import type { PauseName, PauseState } from '../contract/turn.ts';
import { plainWords } from '../json/visible.ts';
import { pauseIdOf } from '../store/calls/call-hash.ts';
import { readPause, type PauseOutcome } from '../store/calls/decisions.ts';
import { decisionsInWords } from '../store/calls/shown-decisions.ts';
import { endedAs, lockRun } from '../store/runs/runs.ts';
import { failureOf } from './failures.ts';
import { castForOperator, type OperatorVotes, type SignalToCast } from './operator-vote.ts';

export interface ClaimDecisionRequest {
  readonly runId: string;
  readonly pause: PauseName;
  readonly signals: readonly SignalToCast[];
}

/** A note is shown below the pause: many signals may come at once. */
const NOTE_MAX_CHARS = 1000;

export function createClaimDecision(votes: OperatorVotes) {
  const { store } = votes;
  return async function claimDecision(request: ClaimDecisionRequest): Promise<PauseState> {
    try {
      const { pause } = request;
      const pauseId =
        'pauseId' in pause ? pause.pauseId : pauseIdOf(request.runId, pause.turn, pause.n);
      const notes: string[] = [];
      for (const signal of request.signals) {
        const note = await castForOperator(votes, request.runId, pauseId, signal);
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
}

/** `withdrawn` only where there are such calls: all others are as they always were. */
const decidedState = ({ approved, withdrawn, decisions }: PauseOutcome): PauseState => ({
  kind: 'DECIDED',
  approved,
  ...(withdrawn.length === 0 ? {} : { withdrawn }),
  said: decisionsInWords(decisions),
});
