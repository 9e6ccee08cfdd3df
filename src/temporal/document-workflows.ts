// What is said to Temporal about a document's workflow, and asked of it.

import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { INGEST_WORKFLOW_TYPE, SEARCH_ATTRIBUTE } from '../contract/names.ts';
import type { IngestDocumentInput } from '../workflows/ingest-document.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';
import { priorityOfDocuments } from './priority.ts';
import { createWorkflowObserver } from './workflow-observer.ts';

/** Polled for documents, so that they wait for each other and no run waits for them. */
export const documentQueue = (taskQueue: string): string => `${taskQueue}-documents`;

/** Each throws where Temporal does not answer. */
export interface DocumentWorkflows {
  /** One that is under way goes on. */
  readonly start: (document: {
    readonly documentId: string;
    readonly orgId: string;
  }) => Promise<void>;
  /** One that is over or unknown needs none. */
  readonly cancel: (documentId: string) => Promise<void>;
  /** As the SDK names its state, or NOT_FOUND. */
  readonly look: (documentId: string) => Promise<string>;
}

export function createDocumentWorkflows(temporal: Temporal): DocumentWorkflows {
  const { client, connection, settings } = temporal;
  const observer = createWorkflowObserver(temporal);
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + RPC_DEADLINE_MS, call);
  return {
    start: async ({ documentId, orgId }) => {
      const input: IngestDocumentInput = {
        ...{ documentId, orgId, taskQueue: documentQueue(settings.taskQueue) },
      };
      try {
        await inTime(() =>
          client.workflow.start(INGEST_WORKFLOW_TYPE, {
            workflowId: documentId,
            taskQueue: settings.taskQueue,
            args: [input],
            priority: priorityOfDocuments(orgId),
            workflowIdConflictPolicy: 'USE_EXISTING',
            // The record says that it is not taken in: an execution that closed before did not do it.
            workflowIdReusePolicy: 'ALLOW_DUPLICATE',
            typedSearchAttributes: new TypedSearchAttributes([
              { key: defineSearchAttributeKey(SEARCH_ATTRIBUTE.org, 'KEYWORD'), value: orgId },
            ]),
          }),
        );
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
    },
    cancel: async (documentId) => {
      try {
        await inTime(() => client.workflow.getHandle(documentId).cancel());
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
    look: async (documentId) => (await observer.look(documentId)).status,
  };
}
