// Who in this process listens to which run or inbox. Knows neither the database nor other processes.

import { sha256Hex } from '../../json/canonical.ts';

/**
 * `STATUS`: it has paused, ended, or what it waits behind has. `EVENTS`: something else of its
 * record is new. `DELTAS`: chunks of what its model says were stored.
 */
export type Change = 'STATUS' | 'EVENTS' | 'DELTAS';
export type Listener = (change: Change) => void;

/** Before an id in a notification. */
export const MARK = { STATUS: '', EVENTS: '~', DELTAS: '+', INBOX: '@' } as const;

/** An org's id may hold what separates ids, and be long: its hash is used in its place. */
export const inboxKey = (orgId: string): string => MARK.INBOX + sha256Hex(orgId).slice(0, 32);

interface Subscription {
  /** Of an inbox. */
  readonly orgId: string | undefined;
  readonly listeners: Set<Listener>;
  /** The state that listeners were last called for, as missed-changes.ts reads it. */
  seen: string;
}

export interface Subscriptions {
  /** `key`: a run's id, or an inbox's key with its `orgId`. Returns what ends it. */
  readonly add: (key: string, listener: Listener, orgId?: string) => () => void;
  readonly notify: (key: string, change: Change) => void;
  /** Notifies where the state is another than the last one; a key without listeners is left out. */
  readonly notifyIfNew: (key: string, state: string) => void;
  readonly runIds: () => readonly string[];
  readonly orgIds: () => readonly string[];
}

export function createSubscriptions(): Subscriptions {
  const all = new Map<string, Subscription>();
  const notify = (key: string, change: Change): void => {
    for (const listener of [...(all.get(key)?.listeners ?? [])]) listener(change);
  };
  return {
    add: (key, listener, orgId) => {
      const subscription = all.get(key) ?? { orgId, listeners: new Set(), seen: '' };
      all.set(key, subscription);
      subscription.listeners.add(listener);
      return () => {
        subscription.listeners.delete(listener);
        if (subscription.listeners.size === 0 && all.get(key) === subscription) all.delete(key);
      };
    },
    notify,
    notifyIfNew: (key, state) => {
      const subscription = all.get(key);
      if (subscription === undefined || subscription.seen === state) return;
      subscription.seen = state;
      notify(key, 'STATUS');
    },
    runIds: () => [...all].flatMap(([key, { orgId }]) => (orgId === undefined ? [key] : [])),
    orgIds: () => [...all.values()].flatMap(({ orgId }) => orgId ?? []),
  };
}
