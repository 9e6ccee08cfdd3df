import assert from 'node:assert/strict';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { AgentRunInput } from '../../src/contract/turn.ts';
import type { Temporal } from '../../src/temporal/connect.ts';
import { createGateway } from '../../src/temporal/gateway.ts';
import { priorityOfDocuments, priorityOfRuns } from '../../src/temporal/priority.ts';

interface Standing {
  readonly status: string;
  readonly execution?: number;
}

describe('the start of an execution', () => {
  /**
   * A server that has this execution; undefined: none. It takes a start from the moment when the
   * one it has is closed and the policies allow another.
   */
  function server(has: Standing | undefined, closesAfterLooks = Infinity) {
    const starts: Record<string, unknown>[] = [];
    let looks = 0;
    const standing = (): Standing | undefined =>
      has !== undefined && looks >= closesAfterLooks ? { ...has, status: 'FAILED' } : has;
    const describe = async () => {
      const now = standing();
      looks++;
      if (now === undefined) throw new WorkflowNotFoundError('none', 'run_1', undefined);
      const memo = now.execution === undefined ? {} : { execution: now.execution };
      return { status: { name: now.status }, memo };
    };
    const start = async (type: string, options: Record<string, unknown>) => {
      starts.push(options);
      const now = standing();
      const again = options['workflowIdReusePolicy'] === 'ALLOW_DUPLICATE_FAILED_ONLY';
      const fits = now === undefined || (again && !OPEN.includes(now.status));
      const attaches =
        options['workflowIdConflictPolicy'] === 'USE_EXISTING' && OPEN.includes(now?.status ?? '');
      if (!(fits && now?.status !== 'COMPLETED') && !attaches)
        throw new WorkflowExecutionAlreadyStartedError('there', 'run_1', type);
    };
    const temporal = {
      client: { workflow: { start, getHandle: () => ({ describe }) } },
      connection: { withDeadline: (_at: number, call: () => Promise<unknown>) => call() },
      settings: { taskQueue: 'q' },
    } as unknown as Temporal;
    return { starts, gateway: createGateway(temporal, { eager: false }) };
  }
  const OPEN: readonly string[] = ['RUNNING', 'PAUSED'];
  const input = (execution?: number) =>
    ({
      ...{ runId: 'run_1', agentId: 'a', orgId: 'o', sessionId: 's', model: 'm' },
      ...(execution === undefined ? {} : { takenUp: { execution } }),
    }) as unknown as AgentRunInput;

  it('joins the one that is open, and finds a closed one gone', async () => {
    assert.equal(await server(undefined).gateway.start(input()), 'taken');
    assert.equal(await server({ status: 'RUNNING' }).gateway.start(input()), 'taken');
    assert.equal(await server({ status: 'FAILED' }).gateway.start(input()), 'gone');
  });

  it('that takes a run up waits for the one before to close, and never joins it', async () => {
    const { starts, gateway } = server({ status: 'RUNNING' }, 3);
    assert.equal(await gateway.start(input(2)), 'taken');
    assert.ok(starts.length > 1, `${starts.length} starts`);
  });

  it('that takes a run up is busy where the one before does not close, so that it is tried later', async () => {
    assert.equal(await server({ status: 'RUNNING' }).gateway.start(input(2)), 'busy');
    assert.equal(await server({ status: 'PAUSED' }).gateway.start(input(2)), 'busy');
  });

  it('that takes a run up knows itself again where the reply to it was lost', async () => {
    const itself = server({ status: 'RUNNING', execution: 2 });
    assert.equal(await itself.gateway.start(input(2)), 'taken');
    assert.equal(itself.starts.length, 1);
    const held = server({ status: 'PAUSED', execution: 2 });
    assert.equal(await held.gateway.start(input(2)), 'taken');
  });

  it('that takes a run up is gone where what Temporal has ended well', async () => {
    assert.equal(await server({ status: 'COMPLETED' }).gateway.start(input(2)), 'gone');
  });
});

describe('the priority of work', () => {
  it('gives each org its turn among runs, and documents come behind them', () => {
    assert.deepEqual(priorityOfRuns('acme'), { priorityKey: 3, fairnessKey: 'acme' });
    assert.deepEqual(priorityOfDocuments('acme'), { priorityKey: 4, fairnessKey: 'acme' });
  });

  it('has a key of its own for each org, and none that Temporal refuses', () => {
    const keys = ['é'.repeat(33), 'x'.repeat(65), 'x'.repeat(66), 'x'.repeat(64)].map(
      (org) => priorityOfRuns(org).fairnessKey ?? '',
    );
    assert.equal(new Set(keys).size, keys.length);
    for (const key of keys) assert.ok(Buffer.byteLength(key) <= 64, key);
  });
});
