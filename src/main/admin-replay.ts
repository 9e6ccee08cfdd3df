// `npx holdpoint replay`: asks Temporal alone, so that it needs no database and migrates none.

import { connectWhenThere } from '../temporal/connect.ts';
import { replayOpen } from '../temporal/replay-open.ts';
import { createWorkflowObserver } from '../temporal/workflow-observer.ts';
import { openProcess, settings } from './process.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

const print = (line: string): void => console.log(line);

export const replay = (stopping: AbortSignal): Promise<void> =>
  openProcess('replay', settings('token'), stopping, async (opened) => {
    const { config, log } = opened;
    opened.installRuntime();
    const workflows = bundleWorkflows(log);
    workflows.catch(() => undefined);
    const temporal = await opened.open(connectWhenThere(config.temporal, log, stopping), (there) =>
      there.close(),
    );
    const observer = createWorkflowObserver(temporal);
    const { runs, refused } = await replayOpen(temporal, observer, await workflows);
    for (const { runId, why } of refused) print(`${runId}: ${why}`);
    print(`${runs} open runs were replayed, ${refused.length} could not be taken up by this code.`);
    if (refused.length > 0)
      throw new Error('Do not roll this release out: put back what changed the workflow’s steps.');
  });
