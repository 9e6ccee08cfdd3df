// What keeps the two records in agreement, put together: gateway, outbox, reconciler over one
// connection; and what the record sheds in time.

import type { Store } from '../store/database/access.ts';
import {
  deleteOldDeliveries,
  deleteOldEvents,
  deleteOldInboxLines,
  deleteOldKeys,
  deleteOldRuns,
  deleteSaidOutboxLines,
} from '../store/retention.ts';
import { createTemporalIdentity, type VerifiedTemporal } from './counterpart.ts';
import { createGateway } from './gateway.ts';
import { createDocumentUpkeep, type DocumentUpkeep } from './document-upkeep.ts';
import { createDocumentWorkflows } from './document-workflows.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createReconciler, type ReconcilerDeps } from './reconciler.ts';
import { createWorkflowObserver } from './workflow-observer.ts';

export interface OutboxAndReconciler {
  readonly outbox: Outbox;
  readonly documents: DocumentUpkeep;
  readonly stop: () => Promise<void>;
}

export interface OutboxAndReconcilerDeps {
  readonly store: Store;
  readonly temporal: VerifiedTemporal;
  /** Where a worker shares this connection, a run's first task comes back with its start. */
  readonly eager: boolean;
  /** null: kept. */
  readonly retentionDays: number | null;
  /** For who counts. */
  readonly onCorrected?: ReconcilerDeps['onCorrected'];
  readonly log: {
    readonly warn: (o: object, m: string) => void;
    readonly error: (o: object, m: string) => void;
  };
}

const RETENTION_EVERY_MS = 600_000;

export function createOutboxAndReconciler(deps: OutboxAndReconcilerDeps): OutboxAndReconciler {
  const { store, temporal, eager, retentionDays, onCorrected, log } = deps;
  const gateway = createGateway(temporal, { eager });
  const identity = createTemporalIdentity(temporal, log);
  const { due } = store;
  const outbox: Outbox = createOutbox({
    store,
    gateway,
    identity,
    log,
    onGone: (runId) => void reconciler.compare(runId),
    onDue: (look) => due.on('outbox', look),
  });
  const reconciler = createReconciler({
    store,
    workflows: createWorkflowObserver(temporal),
    gateway,
    identity,
    since: temporal.kept.since,
    retentionMs: temporal.retentionMs,
    log,
    onReleased: () => outbox.nudge(),
    onCorrected,
    isDue: due.isDue,
  });
  const documents = createDocumentUpkeep({
    store,
    workflows: createDocumentWorkflows(temporal),
    identity,
    onDue: (look) => due.on('documents', look),
    log,
  });
  const retention = setInterval(() => void shed(retentionDays), RETENTION_EVERY_MS);
  retention.unref();
  async function shed(days: number | null): Promise<void> {
    try {
      while ((await deleteSaidOutboxLines(store)) > 0);
      if (days === null) return;
      while ((await deleteOldEvents(store, days)) > 0);
      while ((await deleteOldInboxLines(store, days)) > 0);
      while ((await deleteOldDeliveries(store, days)) > 0);
      while ((await deleteOldRuns(store, days)) > 0);
      while ((await deleteOldKeys(store, days)) > 0);
    } catch {
      // The database is away: the next round goes on.
    }
  }
  return {
    outbox,
    documents,
    stop: async () => {
      clearInterval(retention);
      await outbox.stop();
      await reconciler.stop();
      await documents.stop();
    },
  };
}
