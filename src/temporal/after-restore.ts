// After an older backup of the database was restored: every open run of it is compared with its
// workflow, before any API or worker runs. Nothing starts anew, and no call goes out that may have
// gone out already. A run whose workflow went further than the record is ended; one that is
// where its record is goes on.

import type { RunFailure } from '../contract/names.ts';
import type { Store } from '../store/database/access.ts';
import * as restored from '../store/after-restore.ts';
import type { RestoreClient } from './after-restore-client.ts';
import { missingInRecord, progressOf } from './after-restore-progress.ts';

export interface EndedRun {
  readonly runId: string;
  readonly agentId: string;
  readonly was: string;
  readonly is: string;
  readonly why: string;
}

export interface RestoreReport {
  /** The newest line of the restored record. */
  readonly recordUntil: Date | undefined;
  readonly ended: readonly EndedRun[];
  /** Open runs that are where their workflow is. */
  readonly kept: readonly string[];
  /**
   * Calls that went out after the backup: they are not made anew, but by the rule for unanswered
   * ones.
   */
  readonly unanswered: readonly { readonly runId: string; readonly callIds: readonly string[] }[];
  readonly withdrawnStarts: number;
  /** Workflows without a run: open ones end by themselves as INTERNAL once workers run. */
  readonly openWithoutRun: readonly string[];
  readonly closedWithoutRun: readonly string[];
}

const RUNS_AT_ONCE = 100;
/** Of clocks of two machines, and what visibility lags behind. */
const SLACK_MS = 10 * 60_000;

const failure = (what: string): RunFailure => ({
  code: 'TERMINATED',
  message: `The database was restored from a backup, and ${what}. What this run did since is not in its record: look at what it was to do before starting it again.`,
});

type RestoreDecision =
  | { readonly kind: 'KEEP'; readonly begunCalls: readonly string[] }
  | {
      readonly kind: 'END';
      readonly end: { kind: 'CANCELLED' } | { kind: 'FAILED'; failure: RunFailure };
      readonly why: string;
      readonly open: boolean;
    };

export async function afterRestore(store: Store, client: RestoreClient): Promise<RestoreReport> {
  const recordUntil = await store.asReconciler(restored.newestRecord);
  const ended: EndedRun[] = [];
  const kept: string[] = [];
  const unanswered: { runId: string; callIds: readonly string[] }[] = [];

  for (let after = ''; ;) {
    const runs = await store.asReconciler((tx) => restored.openRunsAfter(tx, after, RUNS_AT_ONCE));
    for (const run of runs) {
      after = run.runId;
      const verdict = await judge(client, run);
      if (verdict.kind === 'KEEP') {
        const callIds = await store.asReconciler(async (tx) => {
          await restored.withdrawStarts(tx, run.runId);
          return restored.markDispatched(tx, run.runId, verdict.begunCalls);
        });
        kept.push(run.runId);
        if (callIds.length > 0) unanswered.push({ runId: run.runId, callIds });
        continue;
      }
      // The workflow first: ended here and still open there, it would go on with a record that says
      // otherwise.
      if (verdict.open) await client.terminate(run.runId, `after-restore: ${verdict.why}`);
      const settled = await store.asReconciler((tx) =>
        restored.endRestoredRun(tx, run.runId, verdict.end, verdict.why),
      );
      ended.push({
        runId: run.runId,
        agentId: run.agentId,
        was: run.status,
        is: settled?.status ?? 'gone',
        why: verdict.why,
      });
    }
    if (runs.length < RUNS_AT_ONCE) break;
  }

  // After the ends: each of them may have released its session's next run, which was ended too.
  const withdrawnStarts = await store.asReconciler(restored.withdrawStartsOfEnded);
  const openWithoutRun = await withoutRun(store, await client.open());
  for (const runId of openWithoutRun) await client.wake(runId);
  const since = new Date((recordUntil?.getTime() ?? 0) - SLACK_MS);
  const closedWithoutRun = await withoutRun(store, await client.closedSince(since));
  return {
    recordUntil,
    ended,
    kept,
    unanswered,
    withdrawnStarts,
    openWithoutRun,
    closedWithoutRun,
  };
}

const withoutRun = (store: Store, ids: readonly string[]): Promise<readonly string[]> =>
  store.asReconciler((tx) => restored.missingRuns(tx, [...new Set(ids)]));

async function judge(client: RestoreClient, run: restored.RestoredRun): Promise<RestoreDecision> {
  const { status, begun } = await client.look(run.runId);
  const ends = (what: string, open = false): RestoreDecision => ({
    kind: 'END',
    end: { kind: 'FAILED', failure: failure(what) },
    why: what,
    open,
  });
  switch (status) {
    case 'RUNNING':
    case 'CONTINUED_AS_NEW':
    case 'PAUSED':
      break;
    case 'CANCELLED':
      return {
        kind: 'END',
        end: { kind: 'CANCELLED' },
        why: 'its workflow was cancelled since',
        open: false,
      };
    case 'NOT_FOUND':
      // Never started, or so long over that Temporal has forgotten it: it cannot be signalled, so it is
      // not started now.
      return ends(
        run.status === 'QUEUED'
          ? 'it had not begun in it'
          : 'Temporal does not know this run any more',
      );
    default:
      return ends(`its workflow ended since as ${status}`);
  }
  const events = await client.history(run.runId);
  let missing: string | undefined;
  try {
    missing = missingInRecord(progressOf(events), run);
  } catch {
    missing = 'what its history holds, which cannot be read here';
  }
  if (missing !== undefined)
    return ends(`its workflow went on since: the record lacks ${missing}`, true);
  const begunCalls = events.flatMap((event) => {
    const asked = event.activityTaskScheduledEventAttributes;
    if (asked?.activityType?.name !== 'runTool' || !begun.has(asked.activityId ?? '')) return [];
    return callIdOf(asked.input?.payloads?.[0]?.data);
  });
  return { kind: 'KEEP', begunCalls };
}

function callIdOf(data: Uint8Array | null | undefined): readonly string[] {
  const { callId } = JSON.parse(new TextDecoder().decode(data ?? new Uint8Array())) as {
    callId?: string;
  };
  return callId === undefined ? [] : [callId];
}
