// What follows a fault of the model: the same one again, the next one, waiting until one is back, or
// the run's end. Pure.

import type { ModelError } from '../models/model.ts';
import { QUOTA_USED_UP, type TurnWork } from '../store/turns/turns.ts';
import type { Waiting } from '../store/runs/waiting.ts';
import { codeOfFault, endsRun, fallsBack } from './failures.ts';

/**
 * Attempts of one model, counted by its own faults, before the next one is asked, or it is waited
 * for.
 */
export const ATTEMPTS_PER_MODEL = 3;

/**
 * A gateway that restarts is back in seconds, an outage lasts: asked after one second, then half as
 * often each time, down to four times a minute.
 */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

/** Between two models that are asked one after the other. */
const NEXT_MODEL_MS = 50;

export type AfterFault =
  | { readonly kind: 'AGAIN'; readonly afterMs: number | undefined }
  | { readonly kind: 'WAIT'; readonly waiting: Waiting; readonly afterMs: number }
  | { readonly kind: 'END'; readonly failure: Error };

export interface FaultAt {
  readonly turn: number;
  /** The model that was asked. */
  readonly name: string;
  readonly candidates: readonly string[];
  readonly work: Pick<TurnWork, 'faults' | 'onlyRateLimited' | 'waiting'>;
  /** How long a run waits for its model; 0: not at all. */
  readonly patienceMs: number;
  readonly now: number;
}

/** The model to ask now; undefined: none has an attempt left. While one waits, each in its turn. */
export function nextModel(
  candidates: readonly string[],
  { faults, waiting }: Pick<TurnWork, 'faults' | 'waiting'>,
): string | undefined {
  if (waiting !== null) {
    const worth = candidates.filter((candidate) => (faults.get(candidate) ?? 0) < QUOTA_USED_UP);
    return worth[waiting.tries % worth.length];
  }
  return candidates.find((candidate) => (faults.get(candidate) ?? 0) < ATTEMPTS_PER_MODEL);
}

export function afterFault(error: ModelError, at: FaultAt): AfterFault {
  const { name, candidates, work } = at;
  const faults = (work.faults.get(name) ?? 0) + 1;
  const away = fallsBack(error);
  if (error.retryable && away && work.waiting !== null) return stillAway(error, at, work.waiting);
  const others = candidates.some(
    (candidate) => candidate !== name && (work.faults.get(candidate) ?? 0) < ATTEMPTS_PER_MODEL,
  );
  if (error.retryable && faults < ATTEMPTS_PER_MODEL)
    return { kind: 'AGAIN', afterMs: error.retryAfterMs };
  // A reply that keeps breaking off may be its server's doing, which the next model does not share.
  if ((away || error.retryable) && others) return { kind: 'AGAIN', afterMs: NEXT_MODEL_MS };
  if (!error.retryable || !away || at.patienceMs <= 0) return ended(error, at);
  return {
    kind: 'WAIT',
    waiting: {
      what: 'MODEL',
      since: new Date(at.now).toISOString(),
      lastProblem: error.message,
      turn: at.turn,
      tries: 0,
    },
    afterMs: Math.min(at.patienceMs, Math.max(FIRST_WAIT_MS, error.retryAfterMs ?? 0)),
  };
}

function stillAway(error: ModelError, at: FaultAt, before: Waiting): AfterFault {
  const leftMs = Date.parse(before.since) + at.patienceMs - at.now;
  if (leftMs <= 0) return ended(error, at);
  const waiting = { ...before, lastProblem: error.message, tries: before.tries + 1 };
  const models = at.candidates.length;
  const rounds = Math.floor(waiting.tries / models);
  const backOff = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(rounds, 10));
  // The others of the round are asked at once; the last attempt is made at the end of the wait.
  const pause = waiting.tries % models === 0 ? Math.max(backOff, error.retryAfterMs ?? 0) : 0;
  return { kind: 'WAIT', waiting, afterMs: Math.min(leftMs, Math.max(pause, NEXT_MODEL_MS)) };
}

function ended(error: ModelError, { work }: FaultAt): AfterFault {
  const waited = work.waiting !== null;
  const fault =
    error.fault === 'ABORTED' || (fallsBack(error) && error.retryable && !work.onlyRateLimited)
      ? 'UNAVAILABLE'
      : error.fault;
  const message = waited
    ? `The model was waited for and did not come back: ${error.message}`
    : error.message;
  return { kind: 'END', failure: endsRun(codeOfFault(fault), message, error) };
}
