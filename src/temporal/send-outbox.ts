// Sends what the record wants told to Temporal from a process that does nothing else: where no API and
// no worker runs, or none of them gets through.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../store/database/access.ts';
import { readRecordStanding } from '../store/queries/standing.ts';
import { createTemporalIdentity, type VerifiedTemporal } from './counterpart.ts';
import { createGateway } from './gateway.ts';
import { createOutbox, type OutboxDeps } from './outbox.ts';

export interface SendOptions {
  readonly log: OutboxDeps['log'] & { readonly error: (o: object, m: string) => void };
  readonly withinMs: number;
  readonly stopping: AbortSignal;
}

const LOOK_EVERY_MS = 500;

/** How many lines are left then. A line of a run without a workflow is the reconciler's to settle. */
export async function sendOutbox(
  store: Store,
  temporal: VerifiedTemporal,
  { log, withinMs, stopping }: SendOptions,
): Promise<number> {
  const outbox = createOutbox({
    ...{ store, log },
    gateway: createGateway(temporal, { eager: false }),
    identity: createTemporalIdentity(temporal, log),
    onGone: () => undefined,
    onDue: () => () => undefined,
  });
  try {
    for (const until = performance.now() + withinMs; ;) {
      const { unsentLines } = await store.asReconciler(readRecordStanding);
      if (unsentLines === 0 || performance.now() > until || stopping.aborted) return unsentLines;
      outbox.nudge();
      await sleep(LOOK_EVERY_MS);
    }
  } finally {
    await outbox.stop();
  }
}
