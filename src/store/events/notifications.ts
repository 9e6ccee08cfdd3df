// Notifies those who wait for a run or an inbox of its change: in this process at once (subscriptions.ts),
// in others by NOTIFY (notify-channel.ts), and at the latest by a query every 2 s
// (missed-changes.ts). Nothing here is a source of truth: who is notified reads again.

import type { Database } from '../database/database.ts';
import { createMissedChanges } from './missed-changes.ts';
import { createNotifyChannel } from './notify-channel.ts';
import { createSubscriptions, inboxKey, MARK, type Listener } from './subscriptions.ts';
import { createWatch, type Watch } from './watch.ts';

export type { Change } from './subscriptions.ts';
export type { Watch } from './watch.ts';

export interface Announcer {
  readonly announce: (changes: ReadonlyMap<string, 'STATUS' | 'EVENTS'>) => void;
  /** To other processes only: in this one live-deltas.ts has them already. */
  readonly announceDeltas: (runId: string) => void;
  /** Calls back at each change of the run; returns what ends it. */
  readonly listen: (runId: string, listener: Listener) => () => void;
  readonly announceInboxes: (orgIds: Iterable<string>) => void;
  /** Calls back at each change of the org's inbox; returns what ends it. */
  readonly listenInbox: (orgId: string, listener: () => void) => () => void;
  /** Of the run's status. Subscribe first, then read. */
  readonly watch: (runId: string) => Watch;
  /** A transaction has ended that may have left something to do. */
  readonly changed: () => void;
  /** Calls back at each, here or in another process; returns what ends it. */
  readonly onChange: (listener: () => void) => () => void;
  /** When the last was, on the clock of `performance.now()`. */
  readonly changedAt: () => number;
  readonly close: () => Promise<void>;
}

export function createAnnouncer(db: Database): Announcer {
  const subscriptions = createSubscriptions();
  const changes = new Set<() => void>();
  let changedAt = -Infinity;
  const changed = (): void => {
    changedAt = performance.now();
    for (const listener of [...changes]) listener();
  };
  const missed = createMissedChanges(db, subscriptions);
  const channel = createNotifyChannel(db.url, {
    onIds: (ids) => {
      changed();
      for (const id of ids)
        if (id.startsWith(MARK.DELTAS)) subscriptions.notify(id.slice(1), 'DELTAS');
        else if (id.startsWith(MARK.EVENTS)) subscriptions.notify(id.slice(1), 'EVENTS');
        else subscriptions.notify(id, 'STATUS');
    },
    onGap: () => void missed.check(),
  });
  const listen: Announcer['listen'] = (runId, listener) => subscriptions.add(runId, listener);
  return {
    announce: (changes) => {
      for (const [id, change] of changes) subscriptions.notify(id, change);
      channel.send([...changes].map(([id, change]) => MARK[change] + id));
    },
    announceDeltas: (runId) => channel.send([MARK.DELTAS + runId]),
    listen,
    announceInboxes: (orgIds) => {
      const keys = [...orgIds].map(inboxKey);
      for (const key of keys) subscriptions.notify(key, 'STATUS');
      channel.send(keys);
    },
    listenInbox: (orgId, listener) => subscriptions.add(inboxKey(orgId), listener, orgId),
    changed,
    onChange: (listener) => {
      changes.add(listener);
      return () => void changes.delete(listener);
    },
    changedAt: () => changedAt,
    watch: (runId) => createWatch((listener) => listen(runId, listener)),
    close: async () => {
      missed.stop();
      await channel.close();
    },
  };
}
