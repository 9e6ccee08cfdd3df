// How a run's workflow closes, and the search attributes that it is found by. Replayed code: its commands
// change only behind patched().

import {
  ApplicationFailure,
  CancellationScope,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import { whatToDo } from '../contract/failure-advice.ts';
import {
  assertNever,
  SEARCH_ATTRIBUTE,
  type RunFailure,
  type RunStatus,
} from '../contract/names.ts';
import type { RunEndShown } from '../contract/turn.ts';
import type { RunEnd } from './details.ts';

const statusKey = defineSearchAttributeKey(SEARCH_ATTRIBUTE.status, 'KEYWORD');
const waitingKey = defineSearchAttributeKey(SEARCH_ATTRIBUTE.waitingSince, 'DATETIME');

export const showStatus = (status: RunStatus, waitingSince: Date | null): void =>
  upsertSearchAttributes([pair(statusKey, status), pair(waitingKey, waitingSince)]);

const pair = (
  key: typeof statusKey | typeof waitingKey,
  value: string | Date | null,
): SearchAttributePair => ({ key, value }) as SearchAttributePair;

/** Closes as the record ended, whichever process wrote the end first. */
export async function close(runId: string, settled: RunEnd): Promise<RunEndShown> {
  const { status } = settled;
  showStatus(status, null);
  const shown = { runId, status, ...settled.shown };
  switch (status) {
    case 'COMPLETED':
      return shown;
    case 'FAILED':
      throw failureOf(settled.failure ?? { code: 'INTERNAL', message: 'The run failed.' });
    case 'CANCELLED':
      // Only a cancellation that Temporal asked for closes as Canceled: DELETE's request is on its
      // way if it is not here yet.
      await CancellationScope.current().cancelRequested;
      return shown;
    case 'QUEUED':
    case 'RUNNING':
    case 'PAUSED':
      throw failureOf({
        code: 'INTERNAL',
        message: `The run's record is ${status} after its end.`,
      });
    default:
      return assertNever(status);
  }
}

/**
 * The Web UI starts workflows like others: with their input, under another id. Two that act for one
 * run would wait for each other's decisions. No run has ever had a workflow of another id, so no
 * history is replayed otherwise than it went.
 */
export function refuseCopy(runId: string): void {
  if (workflowInfo().workflowId === runId) return;
  throw ApplicationFailure.nonRetryable(
    `This workflow has the input of the run ${runId}, which has its own. It has done nothing. Start a run through the API.`,
    'NOT_A_RUN',
  );
}

const failureOf = ({ code, message }: RunFailure): ApplicationFailure =>
  ApplicationFailure.nonRetryable(`${message} ${whatToDo(code)}`, code);
