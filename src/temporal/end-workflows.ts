// Walks over all open workflows, a page at a time. One whose run has ended in the record is brought
// to that end: Temporal was restored from a backup.

import type { Store } from '../store/database/access.ts';
import { endedAmong } from '../store/runs/open-runs.ts';
import type { Gateway } from './gateway.ts';
import type { WorkflowObserver } from './workflow-observer.ts';

export interface EndWorkflowsDeps {
  readonly store: Store;
  readonly workflows: Pick<WorkflowObserver, 'openOnes' | 'look'>;
  readonly gateway: Pick<Gateway, 'wake' | 'cancel' | 'terminate'>;
  /** What a run's workflow was sent last, by run. */
  readonly sent: Map<string, string>;
  /** Between two walks. */
  readonly everyMs: number;
  /** A row that ended later may have an end that is just being sent. */
  readonly olderThanS: number;
  readonly log: { readonly warn: (o: object, m: string) => void };
}

/** Each call looks at the next page. */
export function createEndWorkflows(deps: EndWorkflowsDeps): () => Promise<void> {
  const { store, workflows, gateway, sent, log } = deps;
  let page: Uint8Array | undefined;
  let nextWalkAt = 0;

  return async function endWorkflows() {
    if (page === undefined && performance.now() < nextWalkAt) return;
    const { runIds, next } = await workflows.openOnes(page);
    page = next;
    if (next === undefined) nextWalkAt = performance.now() + deps.everyMs;
    const ended = await store.asReconciler((tx) =>
      endedAmong(tx, runIds, { sinceS: deps.olderThanS }),
    );
    for (const { runId, status } of ended) {
      const look = await workflows.look(runId);
      // One with a task under way asks the record by itself; one that an operator holds may not.
      if (look.status !== 'RUNNING' || look.busy) continue;
      const before = sent.get(runId) === status;
      sent.set(runId, status);
      if (before) await gateway.terminate(runId, `the run is ${status} in its record`);
      else if (status === 'CANCELLED') await gateway.cancel(runId);
      else await gateway.wake(runId, { pauseId: '' });
      log.warn({ runId, status }, 'a workflow whose run has ended was sent that end');
    }
  };
}
