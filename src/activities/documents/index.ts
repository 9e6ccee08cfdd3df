// The side effects of taking a document in: split, embed, publish, or fail.

import type { DocumentReader } from '../../knowledge/extract/reader.ts';
import type { Embedder } from '../../models/embedder.ts';
import type { Store } from '../../store/database/access.ts';
import { failDocument, publishDocument } from '../../store/knowledge/take-in.ts';
import { failureOf } from '../failures.ts';
import { createEmbedDocument } from './embed-document.ts';
import { createSplitDocument } from './split-document.ts';

export interface DocumentActivityDeps {
  readonly store: Store;
  readonly reader: DocumentReader;
  /** undefined: no vectors are made. */
  readonly embedder?: Embedder | undefined;
  readonly egressAllow?: readonly string[];
  /** A document replaced others: they are taken away now rather than at the next look. */
  readonly onReplaced?: () => void;
}

interface OfDocument {
  readonly documentId: string;
}

export function createDocumentActivities(deps: DocumentActivityDeps) {
  const { store, onReplaced = () => undefined } = deps;
  return {
    splitDocument: createSplitDocument(deps),
    embedDocument: createEmbedDocument(deps),
    publishDocument: async ({ documentId }: OfDocument): Promise<void> => {
      try {
        await store.asWorker((tx) => publishDocument(tx, documentId));
        onReplaced();
      } catch (error) {
        throw failureOf(error);
      }
    },
    failDocument: async ({
      documentId,
      ...error
    }: OfDocument & { readonly code: string; readonly message: string }): Promise<void> => {
      try {
        while (!(await store.asWorker((tx) => failDocument(tx, documentId, error))));
      } catch (cause) {
        throw failureOf(cause);
      }
    },
  };
}

export type DocumentActivities = ReturnType<typeof createDocumentActivities>;
