// Where Temporal's record and ours may have come apart: a workflow that closed (terminated, or
// cancelled from outside) while its row is open. Every second one visibility query for what closed
// since the last look less 30 s without having said how it ended, and a slow sweep over open rows
// for what a query misses.

import { WorkflowNotFoundError } from '@temporalio/client';
import { sql } from 'kysely';
import { SEARCH_ATTRIBUTE, WORKFLOW_TYPE, type RunFailure } from '../contract/names.ts';
import type { Settlement } from '../contract/turn.ts';
import type { Store } from '../store/database/access.ts';
import { settle } from '../store/runs/settle.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';

export interface Reconciler {
  /** Compares one run with its workflow. */
  readonly compare: (runId: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface ReconcilerDeps {
  readonly store: Store;
  readonly temporal: Temporal;
  /** A run that ended here may have released its session's next one. */
  readonly onReleased: () => void;
  readonly log: { warn: (o: object, m: string) => void };
}

const LOOK_EVERY_MS = 1000;
/** Visibility lags behind: a close is seen again by so many looks. */
const LOOK_BACK_MS = 30_000;
/** Open rows compared a second, the longest unseen first. */
const SWEEP_AT_ONCE = 5;
/** A row this young may have a start that is just being sent. */
const SWEEP_OLDER_THAN = '20 seconds';

const terminated: RunFailure = {
  code: 'TERMINATED',
  message: 'The run was terminated by an operator. Start it again if it is still wanted.',
};
const lost: RunFailure = {
  code: 'TERMINATED',
  message: 'The workflow of this run is gone. Start it again if it is still wanted.',
};

export function createReconciler({ store, temporal, onReleased, log }: ReconcilerDeps): Reconciler {
  const { client, connection } = temporal;
  let stopped = false;
  let since = Date.now() - LOOK_BACK_MS;
  let swept = '';

  async function compare(runId: string): Promise<void> {
    let status: string;
    try {
      const described = await connection.withDeadline(Date.now() + RPC_DEADLINE_MS, () =>
        client.workflow.getHandle(runId).describe(),
      );
      status = described.status.name;
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      status = 'NOT_FOUND';
    }
    const end = endOf(status);
    if (end === undefined) return;
    const settled = await store.asReconciler(async (tx) => {
      // A start that was never acknowledged is on its way, not lost; and a run whose start never
      // was is queued.
      const { rows } = await sql<{ open: boolean }>`
        select not exists (select 1 from outbox o where o.run_id = r.run_id and o.kind = 'START' and o.acknowledged_at is not null) as open
        from runs r where r.run_id = ${runId} and r.status in ('QUEUED', 'RUNNING', 'PAUSED')`.execute(
        tx.db,
      );
      if (rows[0] === undefined || rows[0].open) return undefined;
      return settle(tx, runId, end, 'temporal');
    });
    if (settled === undefined) return;
    log.warn(
      { runId, workflow: status, status: settled.status },
      'a run whose workflow had closed was settled',
    );
    onReleased();
  }

  async function lookAtClosed(): Promise<void> {
    const began = Date.now();
    const from = new Date(since - LOOK_BACK_MS).toISOString();
    const closed: string[] = [];
    // A workflow that ends by itself says so in its status first: those are thousands, and none of
    // them has come apart.
    const query = `WorkflowType = '${WORKFLOW_TYPE}' AND ExecutionStatus != 'Running' AND ${SEARCH_ATTRIBUTE.status} IN ('RUNNING', 'PAUSED') AND CloseTime > '${from}'`;
    const found = await connection.withDeadline(began + RPC_DEADLINE_MS, async () => {
      const ids: string[] = [];
      for await (const info of client.workflow.list({ query, pageSize: 1000 }))
        ids.push(info.workflowId);
      return ids;
    });
    closed.push(...found);
    since = began;
    if (closed.length === 0) return;
    const open = await store.asReconciler(async (tx) => {
      const { rows } = await sql<{ run_id: string }>`
        select run_id from runs where run_id = any(${closed}) and status in ('QUEUED', 'RUNNING', 'PAUSED')`.execute(
        tx.db,
      );
      return rows.map((row) => row.run_id);
    });
    for (const runId of open) await compare(runId);
  }

  async function sweep(): Promise<void> {
    const rows = await store.asReconciler(async (tx) => {
      const found = await sql<{ run_id: string }>`
        select run_id from runs where status in ('QUEUED', 'RUNNING', 'PAUSED') and run_id > ${swept}
          and updated_at < now() - ${sql.lit(SWEEP_OLDER_THAN)}::interval
        order by run_id limit ${SWEEP_AT_ONCE}`.execute(tx.db);
      return found.rows;
    });
    swept = rows.length < SWEEP_AT_ONCE ? '' : (rows.at(-1)?.run_id ?? '');
    for (const { run_id: runId } of rows) await compare(runId);
  }

  const loop = (async () => {
    while (!stopped) {
      for (const look of [lookAtClosed, sweep])
        try {
          await look();
        } catch {
          // Temporal or the database is away: nothing is concluded from that.
        }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS).unref());
    }
  })();

  return {
    compare: async (runId) => {
      try {
        await compare(runId);
      } catch {
        // The sweep comes by again.
      }
    },
    stop: async () => {
      stopped = true;
      await loop;
    },
  };
}

/** What a workflow that is not open says of its run; undefined while it is open. */
function endOf(status: string): Settlement | undefined {
  switch (status) {
    case 'RUNNING':
    case 'CONTINUED_AS_NEW':
    case 'PAUSED':
      return undefined;
    case 'CANCELLED':
      return { kind: 'CANCELLED' };
    case 'TERMINATED':
      return { kind: 'FAILED', failure: terminated };
    default:
      return { kind: 'FAILED', failure: lost };
  }
}
