// Counts requests of users and orgs for all processes together, without asking the database for
// each: a process counts in memory, tells the database what it has counted, and learns with the
// answer what the others have. Of a quota it gives at most a portion that the database does not know
// of. A database that is away refuses nothing and is not waited for: then each process holds its
// callers to the limit by its own count.

import { randomUUID } from 'node:crypto';
import { withDeadline } from '../../deadline.ts';
import type { Store } from '../../store/database/access.ts';
import { countRequests, forgetRequests } from '../../store/request-counts.ts';
import { createMinuteCounts, type Count } from './minute-counts.ts';
import type { Standing } from './request-quota.ts';

export interface Quota {
  readonly orgId: string;
  /** Of the token; undefined: of the org as a whole. */
  readonly subject?: string;
  /** Requests a minute. */
  readonly limit: number;
}

export interface RequestCounts {
  /** Counts one request to each quota, or to none of them where one has nothing left. */
  readonly take: (
    quotas: readonly Quota[],
  ) => Promise<{ readonly taken: boolean; readonly standings: readonly Standing[] }>;
  readonly stop: () => Promise<void>;
}

/** Of a quota: what a process may give before the database knows. docs/operations.md has the sums. */
const PORTION = 1 / 50;
/** What was counted is told this late at the latest: a transaction of its own, so seldom. */
const TELL_EVERY_MS = 10_000;
/** A database that does not answer in this time is not waited for any more, until it does. */
const WAIT_MS = 250;

interface Taking {
  readonly count: Count;
  readonly limit: number;
}

const portionOf = (limit: number): number => Math.max(1, Math.floor(limit * PORTION));

export function createRequestCounts(store: Pick<Store, 'asReconciler'>): RequestCounts {
  const counts = createMinuteCounts();
  const { standing, untold } = counts;
  const tellOnce = createTelling(store, counts);
  let telling: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let away = false;

  function tellNow(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    telling ??= tellOnce()
      .then((told) => void (away = !told))
      .finally(() => {
        telling = undefined;
        if (counts.anyUntold()) tellSoon();
      });
    return telling;
  }
  function tellSoon(): void {
    timer ??= setTimeout(() => void tellNow(), TELL_EVERY_MS).unref();
  }
  const told = (): Promise<void> => withDeadline(tellNow(), WAIT_MS, () => void (away = true));
  /** This process has given its portion, and the database answers. */
  const mustTell = ({ count, limit }: Taking): boolean =>
    !away && untold(count) >= portionOf(limit);

  return {
    take: async (quotas) => {
      const taking: readonly Taking[] = quotas.map(({ orgId, subject, limit }) => ({
        count: counts.of(orgId, subject),
        limit,
      }));
      while (taking.some(mustTell)) await told();
      // From here on without a wait: what was looked at is what is taken.
      const look = (): readonly Standing[] =>
        taking.map(({ count, limit }) => standing(count, limit));
      const before = look();
      if (before.some(({ left }) => left === 0)) return { taken: false, standings: before };
      for (const { count, limit } of taking) {
        count.mine++;
        if (!away && untold(count) * 2 >= portionOf(limit)) void tellNow();
      }
      tellSoon();
      return { taken: true, standings: look() };
    },
    stop: async () => {
      await withDeadline(tellNow(), WAIT_MS, () => undefined);
      clearTimeout(timer);
    },
  };
}

/** Tells the database what is new, and takes over what it knows of the others; false: it is away. */
function createTelling(
  store: Pick<Store, 'asReconciler'>,
  counts: ReturnType<typeof createMinuteCounts>,
): () => Promise<boolean> {
  const process = randomUUID();
  let forgottenAt = 0;
  return async () => {
    const minute = counts.minute();
    const { counts: news, late } = counts.news();
    if (news.length + late.length === 0) return true;
    const sent = news.map(({ orgId, who, minute: at, mine }) => ({
      ...{ orgId, who, minute: at, used: mine },
    }));
    try {
      const others = await store.asReconciler(async (tx) => {
        if (late.length > 0) await countRequests(tx, process, late);
        if (forgottenAt < minute) await forgetRequests(tx);
        return countRequests(tx, process, sent);
      });
      forgottenAt = minute;
      news.forEach((count, i) => {
        if (count.minute !== sent[i]?.minute) return;
        count.known = sent[i].used;
        count.others = Math.max(count.others, others.counts[i]?.now ?? 0);
        count.othersBefore = Math.max(count.othersBefore, others.counts[i]?.before ?? 0);
      });
      if (others.nowMs !== undefined) counts.setClock(others.nowMs);
      return true;
    } catch {
      // Told with the next look; what was left of a minute that has passed is let go.
      return false;
    }
  };
}
