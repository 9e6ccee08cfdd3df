// `npm run after-restore`: the first step after an older backup of the database was restored,
// before any API or worker is started. Prints what no longer matches. Safe to run again: what it
// has settled it finds settled.

import { otherProcesses } from '../store/after-restore.ts';
import { afterRestore, type RestoreReport } from '../temporal/after-restore.ts';
import { createRestoreClient } from '../temporal/after-restore-client.ts';
import { openProcess, settings } from './process.ts';

export const main = (stopping: AbortSignal): Promise<void> =>
  openProcess('after-restore', settings('worker'), stopping, async (process) => {
    const others = await otherProcesses(process.config.databaseUrl ?? '');
    if (others > 0)
      throw new Error(
        `${others} API or worker processes use this database. Stop them first: they would start what the backup has unsent.`,
      );
    const store = await process.openStore();
    const temporal = await process.openTemporal(store);
    for (const line of reportLines(await afterRestore(store, createRestoreClient(temporal))))
      console.log(line);
  });

const list = (head: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', `${head} (${lines.length}):`, ...lines.map((line) => `  ${line}`)];

function reportLines(report: RestoreReport): readonly string[] {
  const {
    recordUntil,
    ended,
    kept,
    unanswered,
    withdrawnStarts,
    openWithoutRun,
    closedWithoutRun,
  } = report;
  return [
    `The record ends at ${recordUntil?.toISOString() ?? 'its beginning: it is empty'}. What came after it is known to Temporal and to the tools only.`,
    `${kept.length} open runs are where their workflows are, and go on. ${ended.length} were ended. ${withdrawnStarts} unsent starts were taken off.`,
    ...list(
      'Ended: look at what they were to do before starting them again',
      ended.map((run) => `${run.runId} (${run.agentId}): ${run.was}, now ${run.is}: ${run.why}`),
    ),
    ...list(
      'Calls that went out after the backup: repeated with the same key where the tool honours it, else a person is asked',
      unanswered.map(({ runId, callIds }) => `${runId}: ${callIds.join(', ')}`),
    ),
    ...list(
      'Open workflows without a run: they end as INTERNAL when a worker runs',
      openWithoutRun,
    ),
    ...list('Workflows that closed since and have no run: their record is lost', closedWithoutRun),
    '',
    'Idempotency keys and votes younger than the backup are forgotten: a caller that repeats such a request starts a run anew.',
    'Now start the APIs and the workers.',
  ];
}
