// The trace that a run was started in goes to its activities as their header `traceparent`. Only where
// the run's input has one; headers are no part of what a replay compares. An interceptor module:
// main/workflow-bundle.ts names it.

import type { Payload } from '@temporalio/common';
import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';

export const TRACE_HEADER = 'traceparent';

export const interceptors: WorkflowInterceptorsFactory = () => {
  let added: Readonly<Record<string, Payload>> = {};
  return {
    inbound: [
      {
        execute: (input, next) => {
          const [given] = input.args as readonly ({ readonly trace?: unknown } | undefined)[];
          if (typeof given?.trace === 'string')
            added = { [TRACE_HEADER]: defaultPayloadConverter.toPayload(given.trace) };
          return next(input);
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) =>
          next({ ...input, headers: { ...input.headers, ...added } }),
        scheduleLocalActivity: (input, next) =>
          next({ ...input, headers: { ...input.headers, ...added } }),
      },
    ],
  };
};
