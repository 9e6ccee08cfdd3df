import assert from 'node:assert/strict';
import type { LogMetadata } from '@temporalio/common';
import { createLogger } from '../../src/logger.ts';
import { createSdkLogger } from '../../src/temporal/sdk-log.ts';

const error = new Error('The model refused.', { cause: new Error('status 400') });

describe("the SDK's log lines", () => {
  const said = (...entries: readonly (readonly [string, LogMetadata?])[]) => {
    const lines: string[] = [];
    const sdk = createSdkLogger(
      createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } }),
    );
    for (const [message, meta] of entries) sdk.warn(message, meta);
    return { text: lines.join(''), lines: lines.map((line) => JSON.parse(line)) };
  };

  it('carry the run and the error with its causes, and never a task token', () => {
    const { text, lines } = said(
      ['Activity failed', { workflowId: 'run_1', taskToken: 'CiQx', attempt: 2, error }],
      ['a core line', { task_token: 'CiQx', info: { taskToken: 'CiQx' } }],
      ['without meta'],
    );
    assert.deepEqual(
      [lines[0].runId, lines[0].err.message, lines[0].temporal],
      ['run_1', 'The model refused.: status 400', { attempt: 2 }],
    );
    assert.deepEqual([lines.length, lines[2].msg], [3, 'without meta']);
    assert.doesNotMatch(text, /CiQx/);
  });

  it('do not warn of a worker that is meant to have no workflows', () => {
    const { lines } = said(['No workflows registered, not polling for workflow tasks']);
    assert.deepEqual(lines, []);
  });

  it("leave out the SDK's line of a run's end where ours was written, and only there", () => {
    const { lines } = said(
      ['a run failed', { workflowId: 'run_1', code: 'MODEL_REJECTED', cause: 'No.' }],
      ['Workflow failed', { workflowId: 'run_2', error }],
      ['Workflow failed', { workflowId: 'run_1', error }],
      ['Workflow failed', { workflowId: 'run_1', error }],
    );
    assert.deepEqual(
      lines.map((line) => [line.msg, line.runId, line.code ?? line.err.type]),
      [
        ['a run failed', 'run_1', 'MODEL_REJECTED'],
        ['Workflow failed', 'run_2', 'Error'],
        ['Workflow failed', 'run_1', 'Error'],
      ],
    );
  });
});
