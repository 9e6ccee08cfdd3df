// An operator at Temporal's Web UI or CLI, past every proxy: signals, resets, a termination. What
// was clicked and when Temporal had taken it is kept: an operator's vote is held against that.

import { Client, Connection } from '@temporalio/client';
import type { TemporalRig } from '../test/rig/temporal.ts';

export interface Click {
  readonly runId: string;
  readonly action: 'APPROVE' | 'REJECT';
  readonly from: number;
  /** When Temporal had it, or the operator had given up. */
  readonly to: number;
}

export interface Operator {
  readonly clicks: readonly Click[];
  /** False where Temporal did not answer. */
  readonly click: (runId: string, action: Click['action']) => Promise<boolean>;
  readonly reset: (runId: string, to: 'FirstWorkflowTask' | 'LastWorkflowTask') => Promise<void>;
  readonly terminate: (runId: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

const DEADLINE_MS = 3000;

export function createOperator(temporal: TemporalRig): Operator {
  const connection = Connection.lazy({ address: temporal.address });
  const client = new Client({ connection, namespace: temporal.namespace });
  const clicks: Click[] = [];
  return {
    clicks,
    click: async (runId, action) => {
      const from = Date.now();
      const name = action === 'APPROVE' ? 'approve' : 'reject';
      try {
        await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
          client.workflow.getHandle(runId).signal(name),
        );
        return true;
      } catch {
        return false;
      } finally {
        clicks.push({ runId, action, from, to: Date.now() });
      }
    },
    reset: async (runId, to) => {
      const args = ['workflow', 'reset', '--workflow-id', runId, '--type', to];
      await temporal.cli([...args, '--reason', 'chaos']);
    },
    terminate: async (runId) => {
      await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
        client.workflow.getHandle(runId).terminate('chaos'),
      );
    },
    close: () => connection.close(),
  };
}
