// How a run that was waited for is answered: 200 when it has settled, 202 with where to look when
// it has not.

import { RunResponseSchema } from '../../contract/run.ts';
import type { RunRecord } from '../../store/queries/run-record.ts';
import type { Viewer } from '../../store/queries/visibility.ts';
import type { Preference } from '../http/prefer.ts';
import { presentRun } from './present.ts';
import type { Answer, AnswerNote } from '../http/route.ts';
import { isSettled } from './wait.ts';

/** How long a poller should leave the run alone: `?wait=` is there for who wants it sooner. */
const RETRY_AFTER_S = '1';

export const SETTLED: AnswerNote = {
  description:
    'The run has settled: COMPLETED, PAUSED, FAILED or CANCELLED. A run that fails after it was accepted is a 200 too.',
  schema: RunResponseSchema,
  headers: ['ContentLocation', 'PreferenceApplied', 'IdempotencyReplayed'],
};
export const ACCEPTED: AnswerNote = {
  description: 'The answer is not there yet: the run as it stands, and where to read it.',
  schema: RunResponseSchema,
  headers: ['Location', 'RetryAfter', 'PreferenceApplied', 'IdempotencyReplayed'],
};

export const pathOfRun = (agentId: string | undefined, runId: string): string =>
  agentId === undefined
    ? `/api/runs/${runId}`
    : `/api/agents/${encodeURIComponent(agentId)}/runs/${runId}`;

export interface RunAnswerOptions {
  readonly viewer: Viewer;
  readonly preference: Preference;
  readonly replayed: boolean;
}

export function runAnswer(
  run: RunRecord,
  { viewer, preference, replayed }: RunAnswerOptions,
): Answer {
  const path = pathOfRun(run.agentId, run.runId);
  const settled = isSettled(run.status);
  const applied = preference.applied(settled ? 'in time' : 'accepted');
  return {
    status: settled ? 200 : 202,
    headers: {
      ...(settled
        ? { 'Content-Location': path }
        : { Location: path, 'Retry-After': RETRY_AFTER_S }),
      ...(applied === undefined ? {} : { 'Preference-Applied': applied }),
      ...(replayed ? { 'Idempotency-Replayed': 'true' } : {}),
    },
    body: presentRun(run, viewer),
  };
}
