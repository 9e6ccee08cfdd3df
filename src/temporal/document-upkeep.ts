// Sees to what the documents' rows say is to be done: a workflow for each that was given, its end
// for each that was deleted, and its passages taken away; and FAILED for one whose workflow somebody
// ended. At once by the process that changed the row, else by any. Nothing is done, and nothing is
// concluded, while Temporal is not the one that this database belongs to.

import { randomUUID } from 'node:crypto';
import type { Store } from '../store/database/access.ts';
import { failDocument } from '../store/knowledge/take-in.ts';
import * as upkeep from '../store/knowledge/upkeep.ts';
import type { TemporalIdentity } from './counterpart.ts';
import type { DocumentWorkflows } from './document-workflows.ts';

export interface DocumentUpkeep {
  /** Looks now. */
  readonly nudge: () => void;
  readonly stop: () => Promise<void>;
}

const AT_ONCE = 20;
const COMPARED_AT_ONCE = 5;
/** A workflow this young may not be known yet to who is asked. */
const COMPARED_OLDER_THAN_S = 5;
const ENDED: readonly string[] = ['TERMINATED', 'CANCELLED', 'FAILED', 'TIMED_OUT'];

export interface DocumentUpkeepDeps {
  readonly store: Store;
  readonly workflows: DocumentWorkflows;
  readonly identity: TemporalIdentity;
  readonly log: { warn: (o: object, m: string) => void };
  /** Calls back when there may be something to see to. */
  readonly onDue: (look: () => void) => () => void;
}

/** What is done about one document. */
function createSteps(
  { store, workflows, identity, log }: DocumentUpkeepDeps,
  stopping: AbortSignal,
) {
  async function start(one: upkeep.ToDo): Promise<void> {
    await workflows.start(one);
    await store.asReconciler((tx) => upkeep.noteStarted(tx, one.documentId));
  }

  async function purge({ documentId, underWay }: upkeep.ToDo): Promise<void> {
    if (underWay) {
      await workflows.cancel(documentId);
      await store.asReconciler((tx) => upkeep.noteCancelled(tx, documentId));
    }
    while (!stopping.aborted)
      if (await store.asReconciler((tx) => upkeep.purgeDocument(tx, documentId))) return;
  }

  return async function see(one: upkeep.ToDo): Promise<void> {
    try {
      await identity.check();
      await (one.what === 'START' ? start(one) : purge(one));
    } catch (error) {
      identity.invalidate();
      log.warn(
        { err: error, documentId: one.documentId, what: one.what },
        'what a document needs could not be done; it is tried again',
      );
      await store.asReconciler((tx) => upkeep.giveBack(tx, one.documentId));
    }
  };
}

/** Documents whose workflow is not under way, though their row says so. */
function createCompare({
  store,
  workflows,
  identity,
  log,
}: DocumentUpkeepDeps): () => Promise<void> {
  const error = {
    code: 'TERMINATED',
    message: 'Taking the document in was ended by an operator. Give it again.',
  };
  return async () => {
    const open = await store.asReconciler((tx) =>
      upkeep.openDocuments(tx, { olderThanS: COMPARED_OLDER_THAN_S, most: COMPARED_AT_ONCE }),
    );
    for (const documentId of open) {
      const status = await workflows.look(documentId);
      // The connection may lead to another server since the look began.
      await identity.check();
      // Of a Temporal that lost it, or a record that was put back to before its end: everything that
      // is needed is in the record.
      if (status === 'NOT_FOUND' || status === 'COMPLETED')
        await store.asReconciler((tx) => upkeep.startAgain(tx, documentId));
      if (!ENDED.includes(status)) continue;
      while (!(await store.asReconciler((tx) => failDocument(tx, documentId, error))));
      log.warn({ documentId, workflow: status }, 'a document whose workflow had closed has failed');
    }
  };
}

export function createDocumentUpkeep(deps: DocumentUpkeepDeps): DocumentUpkeep {
  const { store, identity, onDue } = deps;
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
          await identity.check();
          await look();
        } catch {
          // Temporal or the database is away, or Temporal is another one: the next look tries again.
          identity.invalidate();
        }
      while (!again && !stopping.signal.aborted)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  })();

  const nudge = (): void => {
    again = true;
    wake();
  };
  const unlisten = onDue(nudge);
  return {
    nudge,
    stop: async () => {
      unlisten();
      stopping.abort();
      wake();
      await loop;
    },
  };
}
