// The log lines of Temporal's SDK and its core, as lines of our log: each with the run's id (which is
// the workflow's), with errors under the key that the log writes out, and without the task token,
// which would let a reader complete the task.

import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { RUN_FAILED } from '../contract/names.ts';
import type { Logger } from '../logger.ts';

/** The SDK's own line of a workflow's end: ours has the code and the causes as well. */
const SDK_LINE_OF_THE_END = 'Workflow failed';

/** Said of a worker that polls for documents' activities alone, as it is meant to. */
const CORE_LINE_WITHOUT_WORKFLOWS = 'No workflows registered, not polling for workflow tasks';

export function createSdkLogger(log: Logger): DefaultLogger {
  /** Runs whose end our workflow has logged, until the SDK logs it again right after. */
  const logged = new Set<unknown>();
  return new DefaultLogger('WARN', ({ level, message, meta = {} }: LogEntry) => {
    if (message === CORE_LINE_WITHOUT_WORKFLOWS) return;
    const { error, workflowId, code, cause, taskToken: _, task_token: __, ...temporal } = meta;
    if (message === RUN_FAILED) logged.add(workflowId);
    if (message === SDK_LINE_OF_THE_END && logged.delete(workflowId)) return;
    const line = {
      ...(workflowId === undefined ? {} : { runId: workflowId }),
      ...(code === undefined ? {} : { code }),
      ...(cause === undefined ? {} : { cause }),
      ...(error === undefined ? {} : { err: error }),
      temporal,
    };
    if (level === 'ERROR') log.error(line, message);
    else log.warn(line, message);
  });
}
