// From a cause to the ApplicationFailure that Temporal sees: the only place. Retryable ones are
// retried by Temporal without end; what must end a run is thrown non-retryable, with the run's
// failure code as its type.

import { ApplicationFailure } from '@temporalio/activity';
import { assertNever, type FailureCode } from '../contract/names.ts';
import type { DocumentFailureCode } from '../knowledge/extract/problem.ts';
import type { ModelError, ModelFault } from '../models/model.ts';
import { StoreUnavailableError } from '../store/database/access.ts';

/** Enough for any sentence of ours. Texts of others are part of it, and it goes into a history. */
const MESSAGE_MAX_CHARS = 2000;

export const endsRun = (code: FailureCode, message: string, cause?: unknown): ApplicationFailure =>
  ApplicationFailure.create({
    type: code,
    message: message.slice(0, MESSAGE_MAX_CHARS),
    nonRetryable: true,
    ...(cause instanceof Error ? { cause } : {}),
  });

/** A document that cannot be taken in, however often it is tried. */
export const endsDocument = (
  code: DocumentFailureCode,
  message: string,
  cause?: unknown,
): ApplicationFailure =>
  ApplicationFailure.create({
    type: code,
    message: message.slice(0, MESSAGE_MAX_CHARS),
    nonRetryable: true,
    ...(cause instanceof Error ? { cause } : {}),
  });

export const triedAgain = (why: string, afterMs?: number, cause?: unknown): ApplicationFailure =>
  ApplicationFailure.create({
    type: 'TRIED_AGAIN',
    message: why.slice(0, MESSAGE_MAX_CHARS),
    ...(afterMs === undefined ? {} : { nextRetryDelay: afterMs }),
    ...(cause instanceof Error ? { cause } : {}),
  });

/** The code a run ends with when the model has had its attempts. */
export function codeOfFault(fault: Exclude<ModelFault, 'ABORTED'>): FailureCode {
  switch (fault) {
    case 'UNAVAILABLE':
      return 'MODEL_UNAVAILABLE';
    case 'RATE_LIMITED':
    case 'QUOTA_EXHAUSTED':
      return 'MODEL_RATE_LIMITED';
    case 'REJECTED':
      return 'MODEL_REJECTED';
    case 'INCOMPLETE':
      return 'MODEL_INCOMPLETE';
    case 'CONTEXT_TOO_LONG':
    case 'OUTPUT_TOO_LARGE':
      return fault;
    default:
      return assertNever(fault);
  }
}

/**
 * 429 asks for deadline, and a fallback helps against both; the rest of the faults a second model
 * would repeat.
 */
export const fallsBack = (error: ModelError): boolean =>
  error.fault === 'UNAVAILABLE' ||
  error.fault === 'RATE_LIMITED' ||
  error.fault === 'QUOTA_EXHAUSTED';

/** SQLSTATE class 22: the data itself cannot be stored, however often it is tried. */
const isUnstorable = (error: unknown): boolean =>
  String((error as { code?: unknown } | null)?.code ?? '').startsWith('22');

/** Anything else that came out of an activity. */
export function failureOf(error: unknown): unknown {
  if (error instanceof StoreUnavailableError) return triedAgain(error.message, undefined, error);
  if (isUnstorable(error))
    return endsRun('INTERNAL', 'The run met data that cannot be stored.', error);
  return error;
}
