// What keeps a long activity about a document alive and lets it be stopped: Temporal's heartbeat,
// and a look at the store each second, since a document that was deleted must cost no more.

import { Context } from '@temporalio/activity';
import type { Store } from '../../store/database/access.ts';
import { readToTakeIn } from '../../store/knowledge/take-in.ts';

const HEARTBEAT_EVERY_MS = 1000;

/** Thrown where nothing is left to be done: the document was deleted, or is settled. */
export class DocumentGoneError extends Error {
  override readonly name = 'DocumentGoneError';
}

/** Rejects when it is stopped; a document that is gone ends it quietly. */
export async function watchDocument(
  store: Store,
  documentId: string,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const context = Context.current();
  const controller = new AbortController();
  let looking = false;
  const beat = setInterval(() => {
    context.heartbeat();
    if (looking) return;
    looking = true;
    store
      .asWorker((tx) => readToTakeIn(tx, documentId, { withFile: false }))
      .then(
        (found) => {
          if (found === undefined) controller.abort(new DocumentGoneError('it is gone'));
        },
        // The database is away: the next look finds it.
        () => undefined,
      )
      .finally(() => (looking = false));
  }, HEARTBEAT_EVERY_MS);
  try {
    await work(AbortSignal.any([controller.signal, context.cancellationSignal]));
  } catch (error) {
    if (error instanceof DocumentGoneError || controller.signal.aborted) return;
    throw error;
  } finally {
    clearInterval(beat);
  }
}
