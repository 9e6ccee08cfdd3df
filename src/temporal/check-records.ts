// Whether both records agree, looked at and not touched: every open run against its workflow, and
// every open workflow against its run. The reconciler mends what is found within half a minute; what
// stays is named with its cure.

import type { Store } from '../store/database/access.ts';
import { openAfter, openAmong, startedRun, type StartedRun } from '../store/runs/open-runs.ts';
import { isOpen } from './closed-as.ts';
import type { WorkflowLook, WorkflowObserver } from './workflow-observer.ts';

export interface Disagreement {
  readonly runId: string;
  readonly what: string;
  readonly cure: string;
}

export interface RecordsChecked {
  readonly runs: number;
  readonly workflows: number;
  readonly found: readonly Disagreement[];
}

const AT_ONCE = 50;
/** A younger row may have a start or a decision that is just being sent. */
const OLDER_THAN_S = 20;

export async function checkRecords(
  store: Store,
  observer: Pick<WorkflowObserver, 'look' | 'openOnes'>,
  { olderThanS = OLDER_THAN_S }: { readonly olderThanS?: number } = {},
): Promise<RecordsChecked> {
  const found: Disagreement[] = [];
  let runs = 0;
  let after = '';
  for (;;) {
    const page = await store.asReconciler((tx) =>
      openAfter(tx, after, { olderThanS, most: AT_ONCE }),
    );
    for (const runId of page) {
      const problem = await compare(store, observer, runId);
      if (problem !== undefined) found.push({ runId, ...problem });
    }
    runs += page.length;
    after = page.at(-1) ?? '';
    if (page.length < AT_ONCE) break;
  }
  let workflows = 0;
  let next: Uint8Array | undefined;
  do {
    const page = await observer.openOnes(next);
    workflows += page.runIds.length;
    const open = new Set(await store.asReconciler((tx) => openAmong(tx, page.runIds)));
    for (const runId of page.runIds) if (!open.has(runId)) found.push({ runId, ...NO_OPEN_RUN });
    next = page.next;
  } while (next !== undefined);
  return { runs, workflows, found };
}

type Problem = Omit<Disagreement, 'runId'>;

const NO_OPEN_RUN: Problem = {
  what: 'its workflow is open, and the record has no open run of that id',
  cure: 'one that has just ended closes by itself; else it is led to its end within two minutes where a worker runs, and may be terminated in Temporal',
};

async function compare(
  store: Store,
  observer: Pick<WorkflowObserver, 'look'>,
  runId: string,
): Promise<Problem | undefined> {
  const started = await store.asReconciler((tx) => startedRun(tx, runId));
  if (started === undefined) return undefined;
  return problemOf(started, await observer.look(runId));
}

function problemOf(run: StartedRun, look: WorkflowLook): Problem | undefined {
  if (look.status === 'NOT_FOUND')
    return {
      what: `it is ${run.status}, and Temporal has no such workflow`,
      cure: run.hasActed
        ? 'it is ended as TERMINATED within half a minute; retry takes it up'
        : 'it is started again within half a minute; where most are missing: is this the right Temporal (npm run temporal-changed)?',
    };
  if (!isOpen(look.status))
    return {
      what: `it is ${run.status}, and its workflow is ${look.status}`,
      cure: 'it is settled within seconds where an API or a worker runs; retry takes it up',
    };
  if (look.idleSince !== undefined && run.pausedSince?.getTime() !== look.idleSince.getTime())
    return {
      what: 'its workflow waits for a pause that the record has decided',
      cure: 'it is woken within half a minute; a worker of the last release may be needed',
    };
  return undefined;
}
