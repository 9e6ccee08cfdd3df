// What follows a fault of the model: the same one again, the next one, or the run's end. Pure.

import type { ModelError } from '../models/model.ts';
import type { TurnWork } from '../store/turns/turns.ts';
import { codeOfFault, endsRun, fallsBack, triedAgain } from './failures.ts';

/**
 * Attempts of one model, counted by its own faults, before the next one is asked or the run ends.
 */
export const ATTEMPTS_PER_MODEL = 3;

/**
 * Tried again, or the run's end: the model's third fault is the last, unless another model may be
 * asked.
 */
export function afterFault(
  error: ModelError,
  name: string,
  candidates: readonly string[],
  work: TurnWork,
): Error {
  const faults = (work.faults.get(name) ?? 0) + 1;
  const others = candidates.some(
    (candidate) => candidate !== name && (work.faults.get(candidate) ?? 0) < ATTEMPTS_PER_MODEL,
  );
  const again = (error.retryable && faults < ATTEMPTS_PER_MODEL) || (fallsBack(error) && others);
  if (again) return triedAgain(error.message, error.retryAfterMs, error);
  return endsRun(
    codeOfFault(error.fault === 'ABORTED' ? 'UNAVAILABLE' : error.fault),
    error.message,
    error,
  );
}
