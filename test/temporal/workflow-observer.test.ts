import assert from 'node:assert/strict';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Temporal } from '../../src/temporal/connect.ts';
import { createWorkflowObserver } from '../../src/temporal/workflow-observer.ts';

describe('what Temporal is asked about a workflow', () => {
  /** A client whose `describe` answers so; nothing else of it is used. */
  const observed = (describe: () => Promise<unknown>) =>
    createWorkflowObserver({
      client: { workflow: { getHandle: () => ({ describe }) } },
      settings: {},
      connection: { withDeadline: (_at: number, call: () => Promise<unknown>) => call() },
    } as unknown as Temporal);

  it('one that it does not know is NOT_FOUND, any other fault is no answer', async () => {
    const unknown = new WorkflowNotFoundError('not found', 'run_1', undefined);
    assert.equal((await observed(() => Promise.reject(unknown)).look('run_1')).status, 'NOT_FOUND');
    const away = new Error('14 UNAVAILABLE');
    await assert.rejects(observed(() => Promise.reject(away)).look('run_1'), away);
  });

  it('one that it knows has the status that the server names; idle is one that waits and has nothing left to do', async () => {
    const since = new Date();
    const waits = { HoldpointStatus: ['PAUSED'], HoldpointWaitingSince: [since] };
    const look = (status: string, searchAttributes: object, raw: object) =>
      observed(() => Promise.resolve({ status: { name: status }, searchAttributes, raw })).look(
        'r',
      );
    assert.deepEqual(await look('TERMINATED', { HoldpointStatus: ['RUNNING'] }, {}), {
      ...{ status: 'TERMINATED', idleSince: undefined, busy: false },
    });
    assert.deepEqual(await look('RUNNING', waits, {}), {
      ...{ status: 'RUNNING', idleSince: since, busy: false },
    });
    for (const work of [{ pendingWorkflowTask: {} }, { pendingActivities: [{}] }])
      assert.deepEqual(await look('RUNNING', waits, work), {
        ...{ status: 'RUNNING', idleSince: undefined, busy: true },
      });
  });
});
