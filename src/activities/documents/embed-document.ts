// Vectors of a document's passages, a batch at a time; each batch is stored before the next is asked
// for, so that a repeated attempt goes on where the one before stopped.

import { EmbeddingError, type Embedder } from '../../models/embedder.ts';
import type { Store } from '../../store/database/access.ts';
import { advance } from '../../store/knowledge/take-in.ts';
import { readToTakeIn } from '../../store/knowledge/take-in.ts';
import { keepVectors, passagesToEmbed, vectorsThere } from '../../store/knowledge/vectors.ts';
import { textToEmbed } from '../../knowledge/text-to-embed.ts';
import { endsDocument, failureOf, triedAgain } from '../failures.ts';
import { watchDocument } from './watch-document.ts';

/** What servers take in one request, whichever they are. */
export const EMBEDDED_AT_ONCE = 64;
const STORED = 0.5;
const EMBEDDED = 0.95;
const LONGEST_WAIT_MS = 60_000;

export function createEmbedDocument({
  store,
  embedder,
}: {
  readonly store: Store;
  readonly embedder?: Embedder | undefined;
}) {
  return async function embedDocument({ documentId }: { documentId: string }): Promise<void> {
    if (embedder === undefined) return;
    try {
      if (!(await store.asWorker(vectorsThere))) return;
      await watchDocument(store, documentId, (signal) => embedAll(embedder, documentId, signal));
    } catch (error) {
      if (!(error instanceof EmbeddingError)) throw failureOf(error);
      if (error.fault === 'REFUSED')
        throw endsDocument(
          'EMBEDDING_REFUSED',
          `The document could not be made searchable by meaning: ${error.message}.`,
          error,
        );
      const afterMs =
        error.afterMs === undefined ? undefined : Math.min(error.afterMs, LONGEST_WAIT_MS);
      throw triedAgain(error.message, afterMs, error);
    }
  };

  async function embedAll(
    { model, embed }: Embedder,
    documentId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const doc = await store.asWorker((tx) => readToTakeIn(tx, documentId, { withFile: false }));
    for (let done = 0; doc !== undefined;) {
      signal.throwIfAborted();
      const some = await store.asWorker((tx) =>
        passagesToEmbed(tx, documentId, model, EMBEDDED_AT_ONCE),
      );
      if (some.length === 0) return;
      const vectors = await embed(some.map(textToEmbed), signal);
      done += some.length;
      const progress = STORED + (EMBEDDED - STORED) * Math.min(1, done / doc.passages);
      await store.asWorker(async (tx) => {
        await keepVectors(
          tx,
          model,
          some.map((passage, i) => ({ passageId: passage.passageId, values: vectors[i] ?? [] })),
        );
        await advance(tx, documentId, progress);
      });
    }
  }
}
