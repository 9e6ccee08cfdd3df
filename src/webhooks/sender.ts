// Sends webhook deliveries: any process, those that are due, leased. A receiver that hangs costs
// its own deliveries time and nobody else's: each webhook has only so many attempts under way in a
// process, few before it has answered once, one while it fails; and those that fail never have more
// than half of them all.

import type { Store } from '../store/database/access.ts';
import { postPublic, type PostAnswer } from '../egress/post-public.ts';
import { publicAddresses } from '../egress/public-address.ts';
import { announceExpiringPauses } from '../store/webhooks/expiring.ts';
import {
  giveUpInactive,
  leaseDeliveries,
  recordOutcomes,
  type DeliveryOutcome,
  type LeasedDelivery,
  type LeaseRooms,
} from '../store/webhooks/queue.ts';
import { deliveryBody } from './body.ts';
import { signedHeaders } from './sign.ts';

export interface WebhookSender {
  /** What is under way may end by itself for a moment; then it is left to another process. */
  readonly stop: () => Promise<void>;
}

export interface WebhookSenderDeps {
  readonly store: Store;
  readonly egressAllow: readonly string[];
  /** undefined: as the process knew it that made the webhook. */
  readonly publicUrl: string | undefined;
  readonly log: { readonly warn: (o: object, m: string) => void };
  /** Calls back when there may be something to send or to announce; returns what ends it. */
  readonly onDue: (kind: 'deliveries' | 'expiring', look: () => void) => () => void;
  /** The contract's ten seconds; shorter in tests. */
  readonly timeoutMs?: number;
}

const ATTEMPT_MS = 10_000;
/** Sockets, not CPU. */
const UNDER_WAY_MAX = 200;
const OF_ONE = 10;
const OF_ONE_UNKNOWN = 2;
const OF_ONE_FAILING = 1;
const FAILING_MAX = UNDER_WAY_MAX / 2;
/** What was written for a webhook at the moment it became inactive. */
const SWEEP_EVERY_MS = 60_000;
const DRAIN_MS = 3000;
/** Deleted webhooks are among them. */
const REMEMBERED_MAX = 10_000;

/** How a webhook has answered this process last. */
type Standing = 'WELL' | 'FAILING';

export function createWebhookSender({
  store,
  egressAllow,
  publicUrl,
  log,
  timeoutMs = ATTEMPT_MS,
  onDue,
}: WebhookSenderDeps): WebhookSender {
  const addresses = publicAddresses(egressAllow);
  const stopping = new AbortController();
  const standings = new Map<string, Standing>();
  const underWay = new Map<LeasedDelivery, Promise<void>>();
  let outcomes: DeliveryOutcome[] = [];
  let stopped = false;
  let current: Promise<void> | undefined;
  let again = false;

  async function attempt(delivery: LeasedDelivery): Promise<void> {
    const body = JSON.stringify(deliveryBody(delivery, publicUrl ?? delivery.pageUrl));
    const answer = await postPublic({
      url: delivery.url,
      addresses,
      headers: signedHeaders(delivery.secret, delivery.deliveryId, body),
      body,
      timeoutMs,
      signal: stopping.signal,
    });
    const outcome = outcomeOf(delivery, answer, stopping.signal.aborted);
    if (outcome.kind !== 'RETURNED')
      remember(standings, delivery.webhookId, outcome.kind === 'DELIVERED' ? 'WELL' : 'FAILING');
    if (outcome.kind === 'GONE')
      log.warn(
        { webhookId: delivery.webhookId },
        'a webhook is inactive: its receiver answered 410',
      );
    outcomes.push(outcome);
  }

  function begin(delivery: LeasedDelivery): void {
    const work = attempt(delivery)
      .catch((error: unknown) => {
        log.warn({ err: error, deliveryId: delivery.deliveryId }, 'a webhook could not be sent');
        const { deliveryId, webhookId, attempt: n } = delivery;
        const why = 'it could not be sent';
        outcomes.push({
          ...{ deliveryId, webhookId, attempt: n, kind: 'FAILED', status: null, error: why },
        });
      })
      .finally(() => {
        underWay.delete(delivery);
        if (!stopped) look();
      });
    underWay.set(delivery, work);
  }

  async function step(): Promise<void> {
    const results = outcomes;
    outcomes = [];
    let leased: readonly LeasedDelivery[] = [];
    try {
      leased = await store.asReconciler(async (tx) => {
        await recordOutcomes(tx, results);
        return stopped ? [] : leaseDeliveries(tx, roomsOf([...underWay.keys()], standings));
      });
    } catch (error) {
      // The database is away: what came of them is written when it is back, or the leases end.
      outcomes = [...results, ...outcomes];
      throw error;
    }
    for (const delivery of leased) begin(delivery);
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
      .finally(() => {
        current = undefined;
      });
  }

  async function announceExpiring(): Promise<void> {
    try {
      while (!stopped && (await store.asReconciler(announceExpiringPauses)));
    } catch {
      // The database is away: it is tried again when it is back.
    }
    if (!stopped) look();
  }
  let announcing: Promise<void> | undefined;
  const unlisten = [
    onDue('deliveries', () => {
      if (!stopped) look();
    }),
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
      const cut = setTimeout(() => stopping.abort(), DRAIN_MS);
      await announcing;
      await current;
      await Promise.all(underWay.values());
      clearTimeout(cut);
      await step().catch(() => undefined);
    },
  };
}

const FAILED_WITH = 'the receiver answered';

function outcomeOf(
  { deliveryId, webhookId, attempt }: LeasedDelivery,
  answer: PostAnswer,
  cut: boolean,
): DeliveryOutcome {
  const of = { deliveryId, webhookId, attempt };
  if (answer.kind !== 'ANSWER')
    return cut
      ? { ...of, kind: 'RETURNED', status: null, error: null }
      : { ...of, kind: 'FAILED', status: null, error: answer.why };
  const { status } = answer;
  if (status >= 200 && status < 300) return { ...of, kind: 'DELIVERED', status, error: null };
  return {
    ...of,
    kind: status === 410 ? 'GONE' : 'FAILED',
    status,
    error: `${FAILED_WITH} ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`,
  };
}

/** Put at the end, so that the longest unheard of come first where room is short. */
function remember(standings: Map<string, Standing>, webhookId: string, standing: Standing): void {
  standings.delete(webhookId);
  standings.set(webhookId, standing);
  const [oldest] = standings.keys();
  if (standings.size > REMEMBERED_MAX && oldest !== undefined) standings.delete(oldest);
}

/** How many more may be taken, of each webhook. */
function roomsOf(
  underWay: readonly LeasedDelivery[],
  standings: ReadonlyMap<string, Standing>,
): LeaseRooms {
  const counts = new Map<string, number>();
  for (const { webhookId } of underWay) counts.set(webhookId, (counts.get(webhookId) ?? 0) + 1);
  let failing = 0;
  for (const [webhookId, n] of counts) if (standings.get(webhookId) === 'FAILING') failing += n;
  const rooms: Record<string, number> = {};
  const last: string[] = [];
  for (const webhookId of new Set([...counts.keys(), ...standings.keys()])) {
    const standing = standings.get(webhookId);
    const most =
      standing === 'WELL' ? OF_ONE : standing === 'FAILING' ? OF_ONE_FAILING : OF_ONE_UNKNOWN;
    let room = Math.max(0, most - (counts.get(webhookId) ?? 0));
    if (standing === 'FAILING') {
      room = Math.min(room, Math.max(0, FAILING_MAX - failing));
      failing += room;
      last.push(webhookId);
    }
    rooms[webhookId] = room;
  }
  return { most: Math.max(0, UNDER_WAY_MAX - underWay.length), room: OF_ONE_UNKNOWN, rooms, last };
}
