// Sends webhook deliveries: any process sends those that are due, under a lease. A receiver that
// hangs delays its own deliveries only, since each webhook has a share of the attempts under way
// (delivery-shares.ts).

import type { Store } from '../store/database/access.ts';
import { announceExpiringPauses } from '../store/webhooks/expiring.ts';
import {
  giveUpInactive,
  leaseDeliveries,
  recordOutcomes,
  type DeliveryOutcome,
  type LeasedDelivery,
} from '../store/webhooks/queue.ts';
import { createDeliveryShares, type DeliveryShares } from './delivery-shares.ts';
import { createPost, failed, type Post, type PostOptions } from './post.ts';

export interface WebhookSender {
  /** What is under way may end by itself for a moment; then it is left to another process. */
  readonly stop: () => Promise<void>;
}

export interface WebhookSenderDeps extends PostOptions {
  readonly store: Store;
  readonly log: { readonly warn: (o: object, m: string) => void };
}

/** People wait for deliveries: each is taken within half a second, by whichever process looks. */
const LOOK_EVERY_MS = 500;
/** What was written for a webhook at the moment it became inactive. */
const SWEEP_EVERY_LOOKS = 120;
const DRAIN_MS = 3000;

export function createWebhookSender({ store, log, ...options }: WebhookSenderDeps): WebhookSender {
  const shares = createDeliveryShares();
  const stopping = new AbortController();
  const attempts = createAttempts(createPost(options), {
    ...{ shares, log, stop: stopping.signal },
    onEnd: () => stopped || look(),
  });
  let stopped = false;
  let looks = 0;
  let current: Promise<void> | undefined;
  let again = false;

  async function step(): Promise<void> {
    const outcomes = attempts.takeOutcomes();
    let leased: readonly LeasedDelivery[] = [];
    try {
      leased = await store.asReconciler(async (tx) => {
        await recordOutcomes(tx, outcomes);
        return stopped ? [] : leaseDeliveries(tx, shares.free(attempts.underWay()));
      });
    } catch (error) {
      // The database is away: what came of them is written when it is back, or the leases end.
      attempts.giveBack(outcomes);
      throw error;
    }
    for (const delivery of leased) attempts.begin(delivery);
  }

  async function round(): Promise<void> {
    do {
      again = false;
      await step();
    } while (again && !stopped);
  }

  function look(): void {
    again = true;
    current ??= round()
      .catch(() => undefined) // the next look tries again
      .finally(() => (current = undefined));
  }

  async function tick(): Promise<void> {
    looks++;
    await announceAndSweep(store, looks % SWEEP_EVERY_LOOKS === 0, () => stopped);
    if (!stopped) look();
  }
  let ticking: Promise<void> | undefined;
  const timer = setInterval(() => {
    ticking ??= tick().finally(() => (ticking = undefined));
  }, LOOK_EVERY_MS);

  return {
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      const cut = setTimeout(() => stopping.abort(), DRAIN_MS);
      await ticking;
      await current;
      await attempts.ended();
      clearTimeout(cut);
      await step().catch(() => undefined);
    },
  };
}

async function announceAndSweep(
  store: Store,
  sweep: boolean,
  stopped: () => boolean,
): Promise<void> {
  try {
    while (!stopped() && (await store.asReconciler(announceExpiringPauses)));
    if (sweep) await store.asReconciler(giveUpInactive);
  } catch {
    // The database is away: the next tick tries again.
  }
}

interface AttemptsDeps {
  readonly shares: DeliveryShares;
  readonly log: WebhookSenderDeps['log'];
  /** Cuts what is under way. */
  readonly stop: AbortSignal;
  readonly onEnd: () => unknown;
}

/** The deliveries under way, and the outcomes that are not recorded yet. */
function createAttempts(post: Post, { shares, log, stop, onEnd }: AttemptsDeps) {
  const underWay = new Map<LeasedDelivery, Promise<void>>();
  let outcomes: DeliveryOutcome[] = [];

  async function attempt(delivery: LeasedDelivery): Promise<DeliveryOutcome> {
    try {
      return await post(delivery, stop);
    } catch (error) {
      log.warn({ err: error, deliveryId: delivery.deliveryId }, 'a webhook could not be sent');
      return failed(delivery, null, 'it could not be sent');
    }
  }

  function note(outcome: DeliveryOutcome): void {
    const { webhookId, kind } = outcome;
    if (kind !== 'RETURNED') shares.remember(webhookId, kind === 'DELIVERED' ? 'WELL' : 'FAILING');
    if (kind === 'GONE')
      log.warn({ webhookId }, 'a webhook is inactive: its receiver answered 410');
    outcomes.push(outcome);
  }

  return {
    begin(delivery: LeasedDelivery): void {
      const work = attempt(delivery)
        .then(note)
        .finally(() => {
          underWay.delete(delivery);
          onEnd();
        });
      underWay.set(delivery, work);
    },
    underWay: () => [...underWay.keys()],
    ended: () => Promise.all(underWay.values()),
    takeOutcomes(): readonly DeliveryOutcome[] {
      const taken = outcomes;
      outcomes = [];
      return taken;
    },
    /** Those that could not be recorded. */
    giveBack: (taken: readonly DeliveryOutcome[]): void =>
      void (outcomes = [...taken, ...outcomes]),
  };
}
