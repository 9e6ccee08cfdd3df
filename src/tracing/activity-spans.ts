// Each activity as a span below its run's, and the run's own once it has ended. What a run was started
// in comes as the header `traceparent`; a run that has none (it was queued, or is older) is a trace of
// its own.

import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInterceptorsFactory } from '@temporalio/worker';
import { isTerminal, type FailureCode, type RunStatus } from '../contract/names.ts';
import { TRACE_HEADER } from '../workflows/trace-header.ts';
import { traceparentOfWorkflow } from './traceparent.ts';
import type { Tracing } from './tracing.ts';

export const activitySpans =
  (tracing: Tracing): ActivityInterceptorsFactory =>
  ({ info }) => {
    const { workflowId, runId: executionId } = info.workflowExecution ?? {};
    if (workflowId === undefined || executionId === undefined) return {};
    return {
      inbound: {
        execute: async (input, next) => {
          const startedBy = headerOf(input);
          const parent = traceparentOfWorkflow(executionId, startedBy);
          const attributes = {
            'holdpoint.run.id': workflowId,
            'temporal.activity.type': info.activityType,
            'temporal.activity.attempt': info.attempt,
          };
          const span = { name: info.activityType, kind: 'internal', parent, attributes } as const;
          const result = await tracing.inSpan(span, () => next(input));
          const end = endIn(info.activityType, result);
          if (end !== undefined)
            tracing.runEnded({
              name: 'agentRun',
              traceparent: parent,
              parent: startedBy,
              startedMs: startOf(workflowId),
              attributes: {
                'gen_ai.operation.name': 'invoke_agent',
                'holdpoint.run.id': workflowId,
                'holdpoint.run.status': end.status,
                'temporal.workflow.run_id': executionId,
              },
              errorType: end.failure?.code,
            });
          return result;
        },
      },
    };
  };

function headerOf({ headers }: ActivityExecuteInput): string | undefined {
  const payload = headers[TRACE_HEADER];
  return payload === undefined ? undefined : defaultPayloadConverter.fromPayload<string>(payload);
}

interface End {
  readonly status: RunStatus;
  readonly failure?: { readonly code: FailureCode };
}

/** The activity that settles a run returns what stands. */
function endIn(activityType: string, result: unknown): End | undefined {
  if (activityType !== 'settleRun' || typeof result !== 'object' || result === null)
    return undefined;
  const end = result as End;
  return isTerminal(end.status) ? end : undefined;
}

/** A run's id is a UUIDv7: its first 48 bits are the milliseconds of its start. */
const startOf = (runId: string): number =>
  Number.parseInt(runId.replace('run_', '').replaceAll('-', '').slice(0, 12), 16);
