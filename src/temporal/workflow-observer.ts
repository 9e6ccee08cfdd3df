// What Temporal is asked about workflows: what state one is in, which closed since a time without
// having said how they ended, which an operator holds. Reads only.

import { WorkflowNotFoundError } from '@temporalio/client';
import { SEARCH_ATTRIBUTE, WORKFLOW_TYPE } from '../contract/names.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';

export interface WorkflowObserver {
  /** As the SDK names it, or NOT_FOUND. Throws where Temporal does not answer. */
  readonly status: (runId: string) => Promise<string>;
  /**
   * A workflow that ends by itself says so in its status first: those are thousands, and none of
   * them has come apart.
   */
  readonly closedSince: (since: Date) => Promise<readonly string[]>;
  /** Those that an operator has paused, so many at most. Throws where the server knows no pause. */
  readonly paused: (most: number) => Promise<readonly string[]>;
}

export function createWorkflowObserver({ client, connection }: Temporal): WorkflowObserver {
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + RPC_DEADLINE_MS, call);
  const idsOf = (condition: string, most: number): Promise<readonly string[]> =>
    inTime(async () => {
      const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ${condition}`;
      const ids: string[] = [];
      for await (const info of client.workflow.list({ query, pageSize: 1000 })) {
        if (ids.length >= most) break;
        ids.push(info.workflowId);
      }
      return ids;
    });
  return {
    status: async (runId) => {
      try {
        const described = await inTime(() => client.workflow.getHandle(runId).describe());
        return described.status.name;
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        return 'NOT_FOUND';
      }
    },
    closedSince: (since) =>
      idsOf(
        `ExecutionStatus != 'Running' AND ${SEARCH_ATTRIBUTE.status} IN ('RUNNING', 'PAUSED') AND CloseTime > '${since.toISOString()}'`,
        Infinity,
      ),
    paused: (most) => idsOf(`ExecutionStatus = 'Paused'`, most),
  };
}
