// Sees to what the documents' rows say is to be done: a workflow for each that was given, its end
// for each that was deleted, and its passages taken away; and FAILED for one whose workflow somebody
// ended. At once by the process that changed the row, else by any.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { INGEST_WORKFLOW_TYPE, SEARCH_ATTRIBUTE } from '../contract/names.ts';
import type { Store } from '../store/database/access.ts';
import { failDocument } from '../store/knowledge/take-in.ts';
import * as upkeep from '../store/knowledge/upkeep.ts';
import type { IngestDocumentInput } from '../workflows/ingest-document.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';
import { createWorkflowObserver } from './workflow-observer.ts';

export interface DocumentUpkeep {
  /** Looks now. */
  readonly nudge: () => void;
  readonly stop: () => Promise<void>;
}

/** Polled for documents, so that they wait for each other and no run waits for them. */
export const documentQueue = (taskQueue: string): string => `${taskQueue}-documents`;

const LOOK_EVERY_MS = 1000;
const AT_ONCE = 20;
const COMPARED_AT_ONCE = 5;
/** A workflow this young may not be known yet to who is asked. */
const COMPARED_OLDER_THAN_S = 5;
const ENDED: readonly string[] = ['TERMINATED', 'CANCELLED', 'FAILED', 'TIMED_OUT'];

interface UpkeepDeps {
  readonly store: Store;
  readonly temporal: Temporal;
  readonly log: { warn: (o: object, m: string) => void };
}

/** What is done about one document. */
function createSteps({ store, temporal, log }: UpkeepDeps, stopping: AbortSignal) {
  const { client, connection, settings } = temporal;
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + RPC_DEADLINE_MS, call);

  async function start({ documentId, orgId }: upkeep.ToDo): Promise<void> {
    const input: IngestDocumentInput = {
      ...{ documentId, orgId, taskQueue: documentQueue(settings.taskQueue) },
    };
    try {
      await inTime(() =>
        client.workflow.start(INGEST_WORKFLOW_TYPE, {
          workflowId: documentId,
          taskQueue: settings.taskQueue,
          args: [input],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          typedSearchAttributes: new TypedSearchAttributes([
            { key: defineSearchAttributeKey(SEARCH_ATTRIBUTE.org, 'KEYWORD'), value: orgId },
          ]),
        }),
      );
    } catch (error) {
      // It ran and closed already: compared below.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    await store.asReconciler((tx) => upkeep.noteStarted(tx, documentId));
  }

  async function purge({ documentId, underWay }: upkeep.ToDo): Promise<void> {
    if (underWay) {
      try {
        await inTime(() => client.workflow.getHandle(documentId).cancel());
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
      await store.asReconciler((tx) => upkeep.noteCancelled(tx, documentId));
    }
    while (!stopping.aborted)
      if (await store.asReconciler((tx) => upkeep.purgeDocument(tx, documentId))) return;
  }

  return async function see(one: upkeep.ToDo): Promise<void> {
    try {
      await (one.what === 'START' ? start(one) : purge(one));
    } catch (error) {
      log.warn(
        { err: error, documentId: one.documentId, what: one.what },
        'what a document needs could not be done; it is tried again',
      );
      await store.asReconciler((tx) => upkeep.giveBack(tx, one.documentId));
    }
  };
}

/** Documents whose workflow somebody ended. */
function createCompare({ store, temporal, log }: UpkeepDeps): () => Promise<void> {
  const workflows = createWorkflowObserver(temporal);
  const error = {
    code: 'TERMINATED',
    message: 'Taking the document in was ended by an operator. Give it again.',
  };
  return async () => {
    const open = await store.asReconciler((tx) =>
      upkeep.openDocuments(tx, { olderThanS: COMPARED_OLDER_THAN_S, most: COMPARED_AT_ONCE }),
    );
    for (const documentId of open) {
      const { status } = await workflows.look(documentId);
      // Of a Temporal that lost it: everything that it needs is in the record.
      if (status === 'NOT_FOUND')
        await store.asReconciler((tx) => upkeep.startAgain(tx, documentId));
      if (!ENDED.includes(status)) continue;
      while (!(await store.asReconciler((tx) => failDocument(tx, documentId, error))));
      log.warn({ documentId, workflow: status }, 'a document whose workflow had closed has failed');
    }
  };
}

export function createDocumentUpkeep(deps: UpkeepDeps): DocumentUpkeep {
  const { store } = deps;
  const stopping = new AbortController();
  const see = createSteps(deps, stopping.signal);
  const compare = createCompare(deps);
  let wake: () => void = () => undefined;
  let again = false;

  async function seeToAll(): Promise<void> {
    for (;;) {
      const lease = randomUUID();
      const todo = await store.asReconciler((tx) => upkeep.leaseToDo(tx, AT_ONCE, lease));
      if (todo.length === 0) break;
      await Promise.all(todo.filter((one) => one.what === 'START').map(see));
      // One after the other: each takes the database for as long as it lasts.
      for (const one of todo.filter(({ what }) => what === 'PURGE')) await see(one);
      if (stopping.signal.aborted) return;
    }
    await store.asReconciler((tx) => upkeep.deleteEmptyBases(tx));
  }
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      again = false;
      for (const look of [seeToAll, compare])
        try {
          await look();
        } catch {
          // Temporal or the database is away: the next look tries again.
        }
      if (again) continue;
      const woken = new AbortController();
      wake = () => woken.abort();
      const signal = AbortSignal.any([stopping.signal, woken.signal]);
      await sleep(LOOK_EVERY_MS, undefined, { ref: false, signal }).catch(() => undefined);
    }
  })();

  return {
    nudge: () => {
      again = true;
      wake();
    },
    stop: async () => {
      stopping.abort();
      await loop;
    },
  };
}
