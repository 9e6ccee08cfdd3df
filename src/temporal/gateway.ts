// The three things ever said to a run's workflow. They name the workflow id only, never Temporal's
// run id. Saying one again changes nothing.

import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { SEARCH_ATTRIBUTE, SIGNAL, WORKFLOW_TYPE } from '../contract/names.ts';
import type { AgentRunInput } from '../contract/turn.ts';
import type { OutboxMessage } from '../store/outbox.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';

/** `gone`: there is no open workflow of that id, so the record has to be looked at. */
export type Said = 'taken' | 'gone';

/** For whoever reads the history; the workflow takes the outcome from the store. */
export type WakeUp = Omit<Extract<OutboxMessage, { kind: 'SIGNAL' }>, 'kind'>;

export interface Gateway {
  readonly start: (input: AgentRunInput) => Promise<Said>;
  readonly wake: (runId: string, what: WakeUp) => Promise<Said>;
  readonly cancel: (runId: string) => Promise<Said>;
}

const key = {
  status: defineSearchAttributeKey(SEARCH_ATTRIBUTE.status, 'KEYWORD'),
  agent: defineSearchAttributeKey(SEARCH_ATTRIBUTE.agent, 'KEYWORD'),
  org: defineSearchAttributeKey(SEARCH_ATTRIBUTE.org, 'KEYWORD'),
  session: defineSearchAttributeKey(SEARCH_ATTRIBUTE.session, 'KEYWORD'),
};

/**
 * A worker that died in the middle of a workflow task is noticed after this (10 s by default):
 * tasks here take milliseconds.
 */
const WORKFLOW_TASK_TIMEOUT = '4 seconds';

export function createGateway(temporal: Temporal, options: { readonly eager: boolean }): Gateway {
  const { client, connection, settings } = temporal;
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + RPC_DEADLINE_MS, call);
  const unlessGone = async (call: () => Promise<unknown>): Promise<Said> => {
    try {
      await inTime(call);
      return 'taken';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'gone';
      throw error;
    }
  };
  return {
    start: async (input) => {
      try {
        await inTime(() =>
          client.workflow.start(WORKFLOW_TYPE, {
            workflowId: input.runId,
            taskQueue: settings.taskQueue,
            args: [input],
            workflowIdConflictPolicy: 'USE_EXISTING',
            workflowIdReusePolicy: 'REJECT_DUPLICATE',
            workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
            requestEagerStart: options.eager,
            staticSummary: `${input.agentId} · ${input.model}`,
            typedSearchAttributes: new TypedSearchAttributes([
              { key: key.status, value: 'RUNNING' },
              { key: key.agent, value: input.agentId },
              { key: key.org, value: input.orgId },
              { key: key.session, value: input.sessionId },
            ]),
          }),
        );
        return 'taken';
      } catch (error) {
        // It ran and closed already: the reconciler compares the records.
        if (error instanceof WorkflowExecutionAlreadyStartedError) return 'gone';
        throw error;
      }
    },
    wake: (runId, what) =>
      unlessGone(() => client.workflow.getHandle(runId).signal(SIGNAL.decided, what)),
    cancel: (runId) => unlessGone(() => client.workflow.getHandle(runId).cancel()),
  };
}
