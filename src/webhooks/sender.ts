// Sends webhook deliveries: any process, those that are due, leased. A receiver that hangs costs
// its own deliveries time and nobody else's (standings.ts).

import type { Store } from '../store/database/access.ts';
import { publicAddresses } from '../egress/public-address.ts';
import { announceExpiringPauses } from '../store/webhooks/expiring.ts';
import {
  giveUpInactive,
  leaseDeliveries,
  recordOutcomes,
  type DeliveryOutcome,
  type LeasedDelivery,
} from '../store/webhooks/queue.ts';
import { sendDelivery, type SendDeps } from './send-delivery.ts';
import { createStandings } from './standings.ts';

export interface WebhookSender {
  /** What is under way may end by itself for a moment; then it is left to another process. */
  readonly stop: () => Promise<void>;
}

export interface WebhookSenderDeps extends Pick<SendDeps, 'publicUrl' | 'log'> {
  readonly store: Store;
  readonly egressAllow: readonly string[];
  /** Calls back when there may be something to send or to announce; returns what ends it. */
  readonly onDue: (kind: 'deliveries' | 'expiring', look: () => void) => () => void;
  /** The contract's ten seconds; shorter in tests. */
  readonly timeoutMs?: number;
}

const ATTEMPT_MS = 10_000;
/** What was written for a webhook at the moment it became inactive. */
const SWEEP_EVERY_MS = 60_000;
const DRAIN_MS = 3000;

export function createWebhookSender({
  store,
  egressAllow,
  publicUrl,
  log,
  timeoutMs = ATTEMPT_MS,
  onDue,
}: WebhookSenderDeps): WebhookSender {
  const addresses = publicAddresses(egressAllow);
  const rounds = createRounds(store, { addresses, publicUrl, timeoutMs, log });
  let announcing: Promise<void> | undefined;
  let stopped = false;

  async function announceExpiring(): Promise<void> {
    try {
      while (!stopped && (await store.asReconciler(announceExpiringPauses)));
    } catch {
      // The database is away: it is tried again when it is back.
    }
    rounds.look();
  }

  const unlisten = [
    onDue('deliveries', rounds.look),
    onDue('expiring', () => {
      announcing ??= announceExpiring().finally(() => {
        announcing = undefined;
      });
    }),
  ];
  const sweep = setInterval(
    () => void store.asReconciler(giveUpInactive).catch(() => undefined),
    SWEEP_EVERY_MS,
  );

  return {
    stop: async () => {
      stopped = true;
      clearInterval(sweep);
      for (const end of unlisten) end();
      const ended = rounds.stop();
      await announcing;
      await ended;
    },
  };
}

interface Rounds {
  /** Sends what is due, again while there is more. */
  readonly look: () => void;
  readonly stop: () => Promise<void>;
}

function createRounds(store: Store, deps: SendDeps): Rounds {
  const stopping = new AbortController();
  const standings = createStandings();
  const underWay = new Map<LeasedDelivery, Promise<void>>();
  let outcomes: readonly DeliveryOutcome[] = [];
  let stopped = false;
  let current: Promise<void> | undefined;
  let again = false;

  async function begin(delivery: LeasedDelivery): Promise<void> {
    const outcome = await sendDelivery(deps, delivery, stopping.signal);
    standings.note(outcome);
    outcomes = [...outcomes, outcome];
    underWay.delete(delivery);
    look();
  }

  async function step(): Promise<void> {
    const results = outcomes;
    outcomes = [];
    try {
      const leased = await store.asReconciler(async (tx) => {
        await recordOutcomes(tx, results);
        return stopped ? [] : leaseDeliveries(tx, standings.rooms([...underWay.keys()]));
      });
      for (const delivery of leased) underWay.set(delivery, begin(delivery));
    } catch (error) {
      // The database is away: what came of them is written when it is back, or the leases end.
      outcomes = [...results, ...outcomes];
      throw error;
    }
  }

  async function round(): Promise<void> {
    do {
      again = false;
      await step();
    } while (again && !stopped);
  }

  function look(): void {
    if (stopped) return;
    again = true;
    current ??= round()
      .catch(() => undefined) // the next look tries again
      .finally(() => {
        current = undefined;
      });
  }

  return {
    look,
    stop: async () => {
      stopped = true;
      const cut = setTimeout(() => stopping.abort(), DRAIN_MS);
      await current;
      await Promise.all(underWay.values());
      clearTimeout(cut);
      await step().catch(() => undefined);
    },
  };
}
