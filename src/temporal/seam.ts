// The seam between the two records, put together: gateway, outbox, reconciler over one connection.

import type { Store } from '../store/access.ts';
import type { Temporal } from './connect.ts';
import { createGateway } from './gateway.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createReconciler } from './reconciler.ts';

export interface Seam {
  readonly outbox: Outbox;
  readonly stop: () => Promise<void>;
}

export interface SeamDeps {
  readonly store: Store;
  readonly temporal: Temporal;
  /** Where a worker shares this connection, a run's first task comes back with its start. */
  readonly eager: boolean;
  readonly log: { warn: (o: object, m: string) => void };
}

export function createSeam({ store, temporal, eager, log }: SeamDeps): Seam {
  const gateway = createGateway(temporal, { eager });
  const outbox: Outbox = createOutbox({ store, gateway, log, onGone: (runId) => void reconciler.compare(runId) });
  const reconciler = createReconciler({ store, temporal, log, onReleased: () => outbox.nudge() });
  return {
    outbox,
    stop: async () => {
      await outbox.stop();
      await reconciler.stop();
    },
  };
}
