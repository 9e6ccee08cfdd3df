// Every request that is sent to a run's workflow. Each names the workflow id only, never Temporal's
// run id, and each may be repeated: a second one changes nothing.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { SEARCH_ATTRIBUTE, SIGNAL, WORKFLOW_TYPE } from '../contract/names.ts';
import { codeSpan } from '../json/visible.ts';
import type { Asked } from '../store/outbox.ts';
import type { AgentRunInput } from '../contract/turn.ts';
import type { OutboxMessage } from '../store/outbox.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';
import { codeOf, NOT_FOUND } from './grpc-status.ts';
import { priorityOfRuns } from './priority.ts';

/**
 * `gone`: there is no open workflow of that id, so the record has to be looked at. `busy`: the
 * execution before has not closed yet, so that this one can't be started now.
 */
export type GatewayAnswer = 'taken' | 'gone' | 'busy';

/** For people who read the history; the workflow takes the outcome from the store. */
export type WakeUp = Omit<Extract<OutboxMessage, { kind: 'SIGNAL' }>, 'kind'>;

export interface Gateway {
  readonly start: (input: AgentRunInput, asked?: Asked) => Promise<GatewayAnswer>;
  readonly wake: (runId: string, what: WakeUp) => Promise<GatewayAnswer>;
  /** The wake-up that workers of the first release know. */
  readonly wakeAsBefore: (runId: string, pauseId: string) => Promise<GatewayAnswer>;
  readonly cancel: (runId: string) => Promise<GatewayAnswer>;
  /** Of a workflow whose run has ended in the record, and that does not end by itself. */
  readonly terminate: (runId: string, why: string) => Promise<GatewayAnswer>;
  /** Every execution of a run that is deleted. Taken too where there is none. */
  readonly delete: (runId: string) => Promise<GatewayAnswer>;
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

/** In the memo of an execution that took a run up: which one it is. */
const EXECUTION = 'execution';

/**
 * The record says FAILED before Temporal closes the execution: milliseconds with a worker that
 * lives. Less in all than a caller waits for Temporal to take a start.
 */
const CLOSING_BACK_OFF_MS = [20, 40, 80, 160, 300, 500, 700];

export function createGateway(temporal: Temporal, options: { readonly eager: boolean }): Gateway {
  const { client, connection, settings } = temporal;
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + RPC_DEADLINE_MS, call);
  const unlessGone = async (call: () => Promise<unknown>): Promise<GatewayAnswer> => {
    try {
      await inTime(call);
      return 'taken';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'gone';
      throw error;
    }
  };
  /** False where Temporal refuses it because of an execution that it has. */
  const begin = async (input: AgentRunInput, asked?: Asked): Promise<boolean> => {
    const { taskQueue } = settings;
    try {
      await inTime(() =>
        client.workflow.start(WORKFLOW_TYPE, startOptions(input, { ...options, taskQueue, asked })),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  };

  /** After a refused start: what the execution that Temporal has means for this one. */
  const existing = async (runId: string, execution: number): Promise<GatewayAnswer> => {
    try {
      const found = await inTime(() => client.workflow.getHandle(runId).describe());
      const open = found.status.name === 'RUNNING' || found.status.name === 'PAUSED';
      // The reply to an earlier attempt at this start was lost.
      if (Number(found.memo?.[EXECUTION] ?? 1) >= execution) return open ? 'taken' : 'gone';
      return found.status.name === 'COMPLETED' ? 'gone' : 'busy';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'busy';
      throw error;
    }
  };

  return {
    start: async (input, asked) => {
      if (await begin(input, asked)) return 'taken';
      // It ran and closed already: the reconciler compares the records.
      if (input.takenUp === undefined) return 'gone';
      const { execution } = input.takenUp;
      for (const afterMs of CLOSING_BACK_OFF_MS) {
        const answer = await existing(input.runId, execution);
        if (answer !== 'busy') return answer;
        await sleep(afterMs);
        if (await begin(input, asked)) return 'taken';
      }
      return existing(input.runId, execution);
    },
    wake: (runId, what) =>
      unlessGone(() => client.workflow.getHandle(runId).signal(SIGNAL.decided, what)),
    wakeAsBefore: (runId, pauseId) =>
      unlessGone(() =>
        client.workflow.getHandle(runId).signal(SIGNAL.approve, { decided: pauseId }),
      ),
    cancel: (runId) => unlessGone(() => client.workflow.getHandle(runId).cancel()),
    terminate: (runId, why) => unlessGone(() => client.workflow.getHandle(runId).terminate(why)),
    delete: (runId) => deleteExecutions(temporal, runId),
  };
}

/**
 * The last one without its id, which the list may not have yet; the others, that a retry or a reset
 * left behind, as listed.
 */
async function deleteExecutions(
  { client, connection, settings: { namespace } }: Temporal,
  runId: string,
): Promise<GatewayAnswer> {
  const remove = async (execution: { workflowId: string; runId?: string }): Promise<void> => {
    try {
      await client.workflowService.deleteWorkflowExecution({
        namespace,
        workflowExecution: execution,
      });
    } catch (error) {
      if (codeOf(error) !== NOT_FOUND) throw error;
    }
  };
  await connection.withDeadline(Date.now() + RPC_DEADLINE_MS, async () => {
    for await (const one of client.workflow.list({ query: `WorkflowId = '${runId}'` }))
      await remove({ workflowId: runId, runId: one.runId });
    await remove({ workflowId: runId });
  });
  return 'taken';
}

/** In code spans: the Web UI makes no links of a stranger's words. */
const detailsOf = ({ agentId, orgId }: AgentRunInput, { by, question }: Asked): string =>
  `Agent ${agentId}, org ${orgId}. Asked by ${codeSpan(by)}: ${codeSpan(question.replaceAll(/\s+/g, ' '))}`;

function startOptions(
  input: AgentRunInput,
  {
    taskQueue,
    eager,
    asked,
  }: {
    readonly taskQueue: string;
    readonly eager: boolean;
    readonly asked: Asked | undefined;
  },
): WorkflowStartOptions {
  const { takenUp } = input;
  const summary = `${input.agentId} · ${input.model}`;
  return {
    workflowId: input.runId,
    taskQueue,
    args: [input],
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    priority: priorityOfRuns(input.orgId),
    requestEagerStart: eager,
    ...(asked === undefined ? {} : { staticDetails: detailsOf(input, asked) }),
    ...(takenUp === undefined
      ? {
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          staticSummary: summary,
        }
      : {
          // An execution that is about to close must not be taken for this one.
          workflowIdConflictPolicy: 'FAIL',
          // Failed, timed out, terminated or cancelled.
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
          staticSummary: `${summary} · execution ${takenUp.execution}`,
          memo: { [EXECUTION]: takenUp.execution },
        }),
    typedSearchAttributes: new TypedSearchAttributes([
      { key: key.status, value: 'RUNNING' },
      { key: key.agent, value: input.agentId },
      { key: key.org, value: input.orgId },
      { key: key.session, value: input.sessionId },
    ]),
  };
}
