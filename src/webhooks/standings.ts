// How each webhook has answered this process last, and so how many attempts at it may be under way:
// few before it has answered once, one while it fails; and those that fail never have more than half
// of them all.

import type { DeliveryOutcome, LeasedDelivery, LeaseRooms } from '../store/webhooks/queue.ts';

export interface Standings {
  readonly note: (outcome: DeliveryOutcome) => void;
  /** How many more may be taken, of each webhook. */
  readonly rooms: (underWay: readonly LeasedDelivery[]) => LeaseRooms;
}

/** Sockets, not CPU. */
const UNDER_WAY_MAX = 200;
const OF_ONE = 10;
const OF_ONE_UNKNOWN = 2;
const OF_ONE_FAILING = 1;
const FAILING_MAX = UNDER_WAY_MAX / 2;
/** Deleted webhooks are among them. */
const REMEMBERED_MAX = 10_000;

type Standing = 'WELL' | 'FAILING';

export function createStandings(): Standings {
  const standings = new Map<string, Standing>();
  return {
    note: ({ kind, webhookId }) => {
      if (kind === 'RETURNED') return;
      remember(standings, webhookId, kind === 'DELIVERED' ? 'WELL' : 'FAILING');
    },
    rooms: (underWay) => roomsOf(underWay, standings),
  };
}

/** Put at the end, so that the longest unheard of come first where room is short. */
function remember(standings: Map<string, Standing>, webhookId: string, standing: Standing): void {
  standings.delete(webhookId);
  standings.set(webhookId, standing);
  const [oldest] = standings.keys();
  if (standings.size > REMEMBERED_MAX && oldest !== undefined) standings.delete(oldest);
}

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
