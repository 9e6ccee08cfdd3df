import assert from 'node:assert/strict';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Temporal } from '../../src/temporal/connect.ts';
import { createWorkflowObserver } from '../../src/temporal/workflow-observer.ts';

describe('what Temporal is asked about a workflow', () => {
  /** A client whose `describe` answers so; nothing else of it is used. */
  const observed = (describe: () => Promise<unknown>) =>
    createWorkflowObserver({
      client: { workflow: { getHandle: () => ({ describe }) } },
      connection: { withDeadline: (_at: number, call: () => Promise<unknown>) => call() },
    } as unknown as Temporal);

  it('one that it does not know is NOT_FOUND, any other fault is no answer', async () => {
    const unknown = new WorkflowNotFoundError('not found', 'run_1', undefined);
    assert.equal(await observed(() => Promise.reject(unknown)).status('run_1'), 'NOT_FOUND');
    const away = new Error('14 UNAVAILABLE');
    await assert.rejects(observed(() => Promise.reject(away)).status('run_1'), away);
  });

  it('one that it knows stands as the server names it', async () => {
    const described = { status: { name: 'TERMINATED' } };
    assert.equal(await observed(() => Promise.resolve(described)).status('run_1'), 'TERMINATED');
  });
});
