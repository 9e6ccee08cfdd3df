// The requests of after-restore to Temporal. Each call has a deadline and is tried a few
// times: the command may be run again.

import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { SIGNAL, WORKFLOW_TYPE } from '../contract/names.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';

export interface WorkflowNow {
  /** As the SDK names it, or NOT_FOUND. */
  readonly status: string;
  /** Activities that a worker has begun and not ended, by the id their history knows them by. */
  readonly begun: ReadonlySet<string>;
}

type Handle = ReturnType<Temporal['client']['workflow']['getHandle']>;
export type HistoryEvent = NonNullable<
  Awaited<ReturnType<Handle['fetchHistory']>>['events']
>[number];

const TRIES = 5;

export function createRestoreClient({ client, connection }: Temporal) {
  async function asked<T>(call: () => Promise<T>): Promise<T> {
    for (let left = TRIES; ; left--) {
      try {
        return await connection.withDeadline(Date.now() + 2 * RPC_DEADLINE_MS, call);
      } catch (error) {
        if (error instanceof WorkflowNotFoundError || left <= 1) throw error;
        await sleep(500);
      }
    }
  }
  const unlessGone = <T>(call: Promise<T>): Promise<T | undefined> =>
    call.catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    });
  const list = (query: string): Promise<readonly string[]> =>
    asked(async () => {
      const ids: string[] = [];
      for await (const info of client.workflow.list({ query, pageSize: 1000 }))
        ids.push(info.workflowId);
      return ids;
    });

  return {
    look: async (runId: string): Promise<WorkflowNow> => {
      const described = await unlessGone(asked(() => client.workflow.getHandle(runId).describe()));
      if (described === undefined) return { status: 'NOT_FOUND', begun: new Set() };
      const pending = described.raw.pendingActivities ?? [];
      const begun = pending.flatMap((one) =>
        one.lastStartedTime && one.activityId ? [one.activityId] : [],
      );
      return { status: described.status.name, begun: new Set(begun) };
    },
    history: async (runId: string): Promise<readonly HistoryEvent[]> =>
      (await asked(() => client.workflow.getHandle(runId).fetchHistory())).events ?? [],
    terminate: (runId: string, why: string) =>
      unlessGone(asked(() => client.workflow.getHandle(runId).terminate(why))),
    /** It asks the store what was decided, finds no record of itself, and ends. */
    wake: (runId: string) =>
      unlessGone(
        asked(() => client.workflow.getHandle(runId).signal(SIGNAL.decided, { pauseId: '' })),
      ),
    open: () => list(`WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`),
    closedSince: (since: Date) =>
      list(
        `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus != 'Running' AND CloseTime > '${since.toISOString()}'`,
      ),
  };
}

export type RestoreClient = ReturnType<typeof createRestoreClient>;
