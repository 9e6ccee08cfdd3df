// Compares one run with its workflow: the run of a workflow that closed is settled, one whose
// workflow is gone is started again or ended, a workflow that waits for a decided pause is woken.

import type { Store } from '../store/database/access.ts';
import { startedRun, type StartedRun } from '../store/runs/open-runs.ts';
import { settle } from '../store/runs/settle.ts';
import { startAnew } from '../store/runs/start-anew.ts';
import type { Absences } from './absences.ts';
import { endOf, isOpen, workflowIsLost } from './closed-as.ts';
import type { Gateway } from './gateway.ts';
import type { WorkflowObserver } from './workflow-observer.ts';

export interface CompareRunDeps {
  readonly store: Store;
  readonly workflows: Pick<WorkflowObserver, 'look'>;
  readonly gateway: Pick<Gateway, 'wake' | 'wakeAsBefore'>;
  readonly absences: Absences;
  /** What a run's workflow was sent last, by run. */
  readonly sent: Map<string, string>;
  /** Starts before then: an operator has confirmed that Temporal may not know them. */
  readonly since: Date;
  /** How long Temporal remembers a closed workflow. */
  readonly retentionMs: number;
  /** A start waits to be sent: of a session's next run, or of one that is started anew. */
  readonly onReleased: () => void;
  readonly log: { readonly warn: (o: object, m: string) => void };
  /** For who counts. */
  readonly onCorrected?: ((what: Correction) => void) | undefined;
}

/** What was done where the record and Temporal differed. */
export type Correction = 'settled' | 'started_again' | 'woken' | 'released';

export function createCompareRun(deps: CompareRunDeps): (runId: string) => Promise<void> {
  const { store, workflows, absences, sent, onReleased, onCorrected, log } = deps;

  return async function compareRun(runId) {
    // Read first: what Temporal then answers is about this execution or a later one. The other way
    // round the end of a failed execution would be taken for that of the one which took the run up.
    const started = await store.asReconciler((tx) => startedRun(tx, runId));
    // A start that was never acknowledged is on its way, not lost; and a run whose start never was
    // is queued.
    if (started === undefined) return void sent.delete(runId);
    const look = await workflows.look(runId);
    if (look.status !== 'NOT_FOUND') absences.found(runId);
    if (isOpen(look.status)) return wakeIfBehind(deps, runId, started, look.idleSince);
    const { execution, takenAt } = started;
    if (look.status === 'NOT_FOUND') {
      if (!absences.missing(runId, takenAt < deps.since)) return;
      // Older than what Temporal remembers of a closed one: what it did cannot be known.
      const mayBeForgotten = Date.now() - takenAt.getTime() > deps.retentionMs;
      if (!started.hasActed && !mayBeForgotten) {
        await store.asReconciler((tx) => startAnew(tx, runId, takenAt));
        onCorrected?.('started_again');
        log.warn(
          { runId },
          'a run whose workflow is gone was started again: nothing of it went out',
        );
        return onReleased();
      }
    }
    const end = look.status === 'NOT_FOUND' ? workflowIsLost : endOf(look.status, started);
    const settled = await store.asReconciler(async (tx) => {
      const now = await startedRun(tx, runId);
      return now?.execution === execution && now.takenAt.getTime() === takenAt.getTime()
        ? settle(tx, runId, end, 'temporal', { execution })
        : undefined;
    });
    if (settled === undefined) return;
    onCorrected?.('settled');
    log.warn(
      { runId, workflow: look.status, status: settled.status },
      'a run whose workflow had closed was settled',
    );
    onReleased();
  };
}

/**
 * A workflow that waits for a pause which the record has decided: the wake-up was lost with a
 * restored Temporal, or its worker is of a release that does not know it.
 */
async function wakeIfBehind(
  { gateway, sent, onCorrected, log }: CompareRunDeps,
  runId: string,
  run: Pick<StartedRun, 'pausedSince' | 'decidedPauseId'>,
  idleSince: Date | undefined,
): Promise<void> {
  if (idleSince === undefined || run.pausedSince?.getTime() === idleSince.getTime())
    return void sent.delete(runId);
  const pauseId = run.decidedPauseId ?? '';
  const before = sent.get(runId) === pauseId;
  sent.set(runId, pauseId);
  await (before ? gateway.wakeAsBefore(runId, pauseId) : gateway.wake(runId, { pauseId }));
  onCorrected?.('woken');
  log.warn({ runId, pauseId }, 'a workflow that waits for what is decided was woken again');
}
