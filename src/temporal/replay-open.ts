// The histories of all open runs, replayed by the workflow code that is here: whether a release could
// take each of them up, asked before its workers do. Reads, and changes nothing.

import { setTimeout as sleep } from 'node:timers/promises';
import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { WorkflowNotFoundError } from '@temporalio/client';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';
import type { WorkflowObserver } from './workflow-observer.ts';

export interface Replayed {
  readonly runs: number;
  readonly refused: readonly { readonly runId: string; readonly why: string }[];
}

/** Those that operators hold are open, too. */
const MOST_HELD = 10_000;
/** A history of a hundred turns is read in many calls. */
const HISTORY_WITHIN_MS = 12 * RPC_DEADLINE_MS;

const LIST_TRIES = 6;
const LIST_AGAIN_AFTER_MS = 1000;

type History = Awaited<
  ReturnType<ReturnType<Temporal['client']['workflow']['getHandle']>['fetchHistory']>
>;

export async function replayOpen(
  { client, connection }: Pick<Temporal, 'client' | 'connection'>,
  observer: Pick<WorkflowObserver, 'openOnes' | 'paused'>,
  workflowBundle: WorkflowBundle,
): Promise<Replayed> {
  const unread: { runId: string; why: string }[] = [];

  async function historyOf(runId: string): Promise<History | undefined> {
    try {
      const read = () => client.workflow.getHandle(runId).fetchHistory();
      return await connection.withDeadline(Date.now() + HISTORY_WITHIN_MS, read);
    } catch (error) {
      // Closed and forgotten since it was listed.
      if (!(error instanceof WorkflowNotFoundError))
        unread.push({ runId, why: `its history could not be read: ${firstLine(error)}` });
      return undefined;
    }
  }
  async function* histories() {
    for await (const workflowId of openRuns(observer)) {
      const history = await historyOf(workflowId);
      if (history !== undefined) yield { workflowId, history };
    }
  }
  let runs = 0;
  const refused: { runId: string; why: string }[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle },
    histories(),
  )) {
    runs++;
    if (error !== undefined) refused.push({ runId: workflowId, why: firstLine(error) });
  }
  return { runs: runs + unread.length, refused: [...refused, ...unread] };
}

async function* openRuns({
  openOnes,
  paused,
}: Pick<WorkflowObserver, 'openOnes' | 'paused'>): AsyncGenerator<string> {
  let page: Uint8Array | undefined;
  do {
    const { runIds, next } = await patiently(() => openOnes(page));
    yield* runIds;
    page = next;
  } while (page !== undefined);
  // A server that knows no pause has none.
  yield* await paused(MOST_HELD).catch((): readonly string[] => []);
}

/** A server that is busy is asked again: half an answer would be none. */
async function patiently<T>(ask: () => Promise<T>, tries = LIST_TRIES): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (tries <= 1) throw error;
    await sleep(LIST_AGAIN_AFTER_MS);
    return patiently(ask, tries - 1);
  }
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
