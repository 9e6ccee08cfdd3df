// Runs that an operator holds, by "Pause Workflow" in Temporal's Web UI or `temporal workflow
// pause`. Temporal tells nobody of it, the workflow least of all: so it is looked for, and the
// record says it. A pause is seen in visibility; that it is over is asked of the workflow itself,
// because visibility lags behind.

import type { Store } from '../store/database/access.ts';
import { heldRuns, noteHeld } from '../store/runs/held.ts';
import { openAmong } from '../store/runs/open-runs.ts';
import type { WorkflowObserver } from './workflow-observer.ts';

/** More are held at once only by a batch operation; these are then said first. */
const MOST_HELD = 1000;
/** Let go at once by a batch operation, they are asked about in so many a look. */
const ASKED_AT_ONCE = 20;

/** `mayBeNoted`: the record may say of a run that it is held. */
export async function lookAtHeld(
  store: Store,
  workflows: WorkflowObserver,
  mayBeNoted: boolean,
): Promise<void> {
  const paused = new Set(await workflows.paused(MOST_HELD));
  if (paused.size === 0 && !mayBeNoted) return;
  const noted = await store.asReconciler(heldRuns);
  if (paused.size === 0 && noted.length === 0) return;
  const unsaid = [...paused].filter((runId) => !noted.includes(runId));
  const open = await store.asReconciler((tx) => openAmong(tx, unsaid));
  for (const runId of open) await store.asReconciler((tx) => noteHeld(tx, runId, true));
  const over = noted.filter((runId) => !paused.has(runId)).slice(0, ASKED_AT_ONCE);
  for (const runId of over)
    if ((await workflows.look(runId)).status !== 'PAUSED')
      await store.asReconciler((tx) => noteHeld(tx, runId, false));
}
