// How many deliveries each webhook may have under way in this process: few before it has answered
// once, one while it fails; and failing webhooks never have more than half of all.

import type { LeasedDelivery, LeaseRooms } from '../store/webhooks/queue.ts';

/** Sockets, not CPU. */
const UNDER_WAY_MAX = 200;
const OF_ONE = 10;
const OF_ONE_UNKNOWN = 2;
const OF_ONE_FAILING = 1;
const FAILING_MAX = UNDER_WAY_MAX / 2;
/** Deleted webhooks are among them. */
const REMEMBERED_MAX = 10_000;

/** How a webhook answered this process last. */
type Health = 'WELL' | 'FAILING';

export interface DeliveryShares {
  readonly remember: (webhookId: string, health: Health) => void;
  /** How many more may be leased, of each webhook. */
  readonly free: (underWay: readonly LeasedDelivery[]) => LeaseRooms;
}

export function createDeliveryShares(): DeliveryShares {
  const healths = new Map<string, Health>();
  return {
    remember: (webhookId, health) => {
      // Put at the end, so that the longest unused come first where few are free.
      healths.delete(webhookId);
      healths.set(webhookId, health);
      const [oldest] = healths.keys();
      if (healths.size > REMEMBERED_MAX && oldest !== undefined) healths.delete(oldest);
    },
    free: (underWay) => freeOf(underWay, healths),
  };
}

function freeOf(
  underWay: readonly LeasedDelivery[],
  healths: ReadonlyMap<string, Health>,
): LeaseRooms {
  const counts = new Map<string, number>();
  for (const { webhookId } of underWay) counts.set(webhookId, (counts.get(webhookId) ?? 0) + 1);
  let failing = 0;
  for (const [webhookId, n] of counts) if (healths.get(webhookId) === 'FAILING') failing += n;
  const rooms: Record<string, number> = {};
  const last: string[] = [];
  for (const webhookId of new Set([...counts.keys(), ...healths.keys()])) {
    const health = healths.get(webhookId);
    const most =
      health === 'WELL' ? OF_ONE : health === 'FAILING' ? OF_ONE_FAILING : OF_ONE_UNKNOWN;
    let room = Math.max(0, most - (counts.get(webhookId) ?? 0));
    if (health === 'FAILING') {
      room = Math.min(room, Math.max(0, FAILING_MAX - failing));
      failing += room;
      last.push(webhookId);
    }
    rooms[webhookId] = room;
  }
  return { most: Math.max(0, UNDER_WAY_MAX - underWay.length), room: OF_ONE_UNKNOWN, rooms, last };
}
