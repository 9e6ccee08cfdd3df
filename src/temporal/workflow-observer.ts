// What Temporal is asked about workflows: what state one is in, which closed since a time without
// having said how they ended, which are open, which an operator holds. Reads only.

import { WorkflowNotFoundError } from '@temporalio/client';
import { SEARCH_ATTRIBUTE, WORKFLOW_TYPE } from '../contract/names.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';

export interface WorkflowLook {
  /** As the SDK names it, or NOT_FOUND. */
  readonly status: string;
  /** Since when it waits for people, where it has no signal or task left to handle. */
  readonly idleSince: Date | undefined;
  /** A task or an activity of it is on its way: it will ask the record by itself. */
  readonly busy: boolean;
}

export interface ClosedWorkflow {
  readonly runId: string;
  /** By Temporal's clock. */
  readonly closedAt: Date;
}

export interface OpenPage {
  readonly runIds: readonly string[];
  /** Where the next page begins; undefined: this was the last one. */
  readonly next: Uint8Array | undefined;
}

export interface WorkflowObserver {
  /** Throws where Temporal does not answer. */
  readonly look: (runId: string) => Promise<WorkflowLook>;
  /**
   * A workflow that ends by itself shows it in its status first: those are thousands, and none of
   * them has come apart.
   */
  readonly closedSince: (since: Date) => Promise<readonly ClosedWorkflow[]>;
  /** Open workflows of this task queue, a page at a time. */
  readonly openOnes: (page?: Uint8Array) => Promise<OpenPage>;
  /** Those that an operator has paused, so many at most. Throws where the server knows no pause. */
  readonly paused: (most: number) => Promise<readonly string[]>;
}

const NOT_THERE: WorkflowLook = { status: 'NOT_FOUND', idleSince: undefined, busy: false };
const OPEN_AT_ONCE = 100;

export function createWorkflowObserver({
  client,
  connection,
  settings,
}: Temporal): WorkflowObserver {
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + RPC_DEADLINE_MS, call);
  const listed = (condition: string, most = Infinity) =>
    inTime(async () => {
      const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ${condition}`;
      const found: { readonly runId: string; readonly closedAt: Date | undefined }[] = [];
      for await (const { workflowId, closeTime } of client.workflow.list({ query, pageSize: 1000 }))
        if (found.push({ runId: workflowId, closedAt: closeTime }) >= most) break;
      return found;
    });
  return {
    look: async (runId) => {
      try {
        const { status, searchAttributes, raw } = await inTime(() =>
          client.workflow.getHandle(runId).describe(),
        );
        const busy = Boolean(raw.pendingWorkflowTask) || (raw.pendingActivities ?? []).length > 0;
        const waits = searchAttributes?.[SEARCH_ATTRIBUTE.status]?.[0] === 'PAUSED';
        const since = searchAttributes?.[SEARCH_ATTRIBUTE.waitingSince]?.[0];
        return {
          status: status.name,
          busy,
          idleSince: waits && !busy ? new Date(since instanceof Date ? since : 0) : undefined,
        };
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        return NOT_THERE;
      }
    },
    closedSince: async (since) => {
      const closed = await listed(
        `ExecutionStatus != 'Running' AND ${SEARCH_ATTRIBUTE.status} IN ('RUNNING', 'PAUSED') AND CloseTime > '${since.toISOString()}'`,
      );
      return closed.map(({ runId, closedAt }) => ({ runId, closedAt: closedAt ?? since }));
    },
    paused: async (most) =>
      (await listed(`ExecutionStatus = 'Paused'`, most)).map(({ runId }) => runId),
    openOnes: (page) =>
      inTime(async () => {
        const { namespace, taskQueue } = settings;
        const { executions, nextPageToken } = await client.workflowService.listWorkflowExecutions({
          namespace,
          query: `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}'`,
          pageSize: OPEN_AT_ONCE,
          ...(page === undefined ? {} : { nextPageToken: page }),
        });
        return {
          runIds: (executions ?? []).flatMap(({ execution }) => execution?.workflowId ?? []),
          next: nextPageToken?.length ? nextPageToken : undefined,
        };
      }),
  };
}
