// What Temporal's SDK and its core have to say, as lines of our log: each with the run's id (which
// is the workflow's), errors where the log writes them out, and without the token that anybody
// could complete the task with.

import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { RUN_FAILED } from '../contract/names.ts';
import type { Logger } from '../logger.ts';

/** The SDK's own line of a workflow's end: ours has the code and the causes as well. */
const SAID_TWICE = 'Workflow failed';

export function createSdkLogger(log: Logger): DefaultLogger {
  /** Runs whose end our workflow has told, until the SDK tells it again right after. */
  const told = new Set<unknown>();
  return new DefaultLogger('WARN', ({ level, message, meta = {} }: LogEntry) => {
    const { error, workflowId, code, cause, taskToken: _, task_token: __, ...temporal } = meta;
    if (message === RUN_FAILED) told.add(workflowId);
    if (message === SAID_TWICE && told.delete(workflowId)) return;
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
