// What keeps the two records in agreement, put together: gateway, outbox, reconciler over one
// connection; and what the record sheds in time.

import type { Store } from '../store/database/access.ts';
import { deleteOldDeliveries, deleteOldEvents, deleteOldInboxLines } from '../store/retention.ts';
import type { Temporal } from './connect.ts';
import { createGateway } from './gateway.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createReconciler } from './reconciler.ts';
import { createWorkflowObserver } from './workflow-observer.ts';

export interface OutboxAndReconciler {
  readonly outbox: Outbox;
  readonly stop: () => Promise<void>;
}

export interface OutboxAndReconcilerDeps {
  readonly store: Store;
  readonly temporal: Temporal;
  /** Where a worker shares this connection, a run's first task comes back with its start. */
  readonly eager: boolean;
  /** null: kept. */
  readonly retentionDays: number | null;
  readonly log: { warn: (o: object, m: string) => void };
}

const RETENTION_EVERY_MS = 600_000;

export function createOutboxAndReconciler({
  store,
  temporal,
  eager,
  retentionDays,
  log,
}: OutboxAndReconcilerDeps): OutboxAndReconciler {
  const gateway = createGateway(temporal, { eager });
  const outbox: Outbox = createOutbox({
    store,
    gateway,
    log,
    onGone: (runId) => void reconciler.compare(runId),
  });
  const reconciler = createReconciler({
    store,
    workflows: createWorkflowObserver(temporal),
    log,
    onReleased: () => outbox.nudge(),
  });
  const retention =
    retentionDays === null
      ? undefined
      : setInterval(() => void keepTo(retentionDays), RETENTION_EVERY_MS);
  retention?.unref();
  async function keepTo(days: number): Promise<void> {
    try {
      while ((await deleteOldEvents(store, days)) > 0);
      while ((await deleteOldInboxLines(store, days)) > 0);
      while ((await deleteOldDeliveries(store, days)) > 0);
    } catch {
      // The database is away: the next round goes on.
    }
  }
  return {
    outbox,
    stop: async () => {
      clearInterval(retention);
      await outbox.stop();
      await reconciler.stop();
    },
  };
}
