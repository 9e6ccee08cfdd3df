// What an operator does to a step of a run by hand: `temporal activity complete` with whatever they
// type, `temporal activity fail`. It is reported as that. No result of ours is taken for one, and none
// of theirs for ours.

import { ApplicationFailure } from '@temporalio/workflow';
import { FAILURE_CODE, type FailureCode, type RunFailure } from '../contract/names.ts';

const ended: RunFailure = {
  code: 'TERMINATED',
  message:
    'An operator ended a step of this run by hand in Temporal. What was done before stands; a retry takes the run up from there.',
};

const isOurs = (result: unknown, field: 'kind' | 'status'): boolean =>
  typeof result === 'object' &&
  result !== null &&
  typeof (result as Readonly<Record<string, unknown>>)[field] === 'string';

/** The result, if a worker gave it; else the run ends. */
export function fromWorker<T extends { readonly kind: string }>(result: T): T {
  if (isOurs(result, 'kind')) return result;
  throw ApplicationFailure.nonRetryable(ended.message, ended.code);
}

/** Asks the store until a worker gives the answer. */
export async function untilAnswered<T>(
  field: 'kind' | 'status',
  ask: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const result = await ask();
    if (isOurs(result, field)) return result;
  }
}

/** The failure of a run whose step failed: by our code, or by an operator's hand. */
export const failureOfStep = ({ type, message }: ApplicationFailure): RunFailure =>
  isCode(type) ? { code: type, message } : ended;

const isCode = (type: string | null | undefined): type is FailureCode =>
  FAILURE_CODE.some((code) => code === type);
