// The workflow that takes a document in. Workflow id = document id. Its input names the document and
// where the work is done; text is in the store alone. Replayed code, like agent-run.ts.

import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
} from '@temporalio/workflow';
import type { DocumentActivities } from '../activities/documents/index.ts';
import { documentOptions, documentTransaction } from './policies.ts';

export interface IngestDocumentInput {
  readonly documentId: string;
  readonly orgId: string;
  /** Polled by who takes documents in, so that they wait for each other and no run waits for them. */
  readonly taskQueue: string;
}

export async function ingestDocument({
  documentId,
  taskQueue,
}: IngestDocumentInput): Promise<void> {
  const work = proxyActivities<DocumentActivities>({ ...documentOptions, taskQueue });
  const write = proxyActivities<DocumentActivities>({ ...documentTransaction, taskQueue });
  try {
    await work.splitDocument({ documentId });
    await work.embedDocument({ documentId });
    await write.publishDocument({ documentId });
  } catch (error) {
    if (isCancellation(error)) throw error;
    const cause = error instanceof ActivityFailure ? error.cause : error;
    if (!(cause instanceof ApplicationFailure) || !cause.type) throw error;
    // What cannot be taken in has its reason in the record; the workflow has done its work.
    await write.failDocument({ documentId, code: cause.type, message: cause.message });
  }
}
