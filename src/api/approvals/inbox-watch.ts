// Notifies those who follow the inbox of an org: one watch for all of them in this process. While
// somebody follows it, calls whose time is over are decided as expired here, with a worker or
// without one: what leaves an inbox leaves it by the store's word.

import type { Store } from '../../store/database/access.ts';
import { readPause } from '../../store/calls/decisions.ts';
import { readInboxHead, runsWithExpired } from '../../store/queries/inbox.ts';
import { lockRun } from '../../store/runs/runs.ts';
import type { AppDeps } from '../deps.ts';

export interface InboxWatch {
  /** Calls back at each change; returns what ends it. */
  readonly listen: (orgId: string, listener: () => void) => () => void;
}

/** A database that is away for a moment. */
const ASK_AGAIN_MS = 1000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function createInboxWatch(deps: Pick<AppDeps, 'store' | 'send'>): InboxWatch {
  const orgs = new Map<string, OrgWatch>();
  return {
    listen: (orgId, listener) => {
      const org = orgs.get(orgId) ?? watchOrg(deps, orgId);
      orgs.set(orgId, org);
      org.listeners.add(listener);
      return () => {
        if (!org.listeners.delete(listener) || org.listeners.size > 0) return;
        org.close();
        orgs.delete(orgId);
      };
    },
  };
}

interface OrgWatch {
  readonly listeners: Set<() => void>;
  readonly close: () => void;
}

function watchOrg({ store, send }: Pick<AppDeps, 'store' | 'send'>, orgId: string): OrgWatch {
  const listeners = new Set<() => void>();
  let closed = false;
  let looking = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  /** Expires what is due and sets the timer for what comes next. */
  async function look(): Promise<void> {
    again = true;
    if (looking) return;
    looking = true;
    let nextInMs: number | null = null;
    try {
      while (again && !closed) {
        again = false;
        for (const runId of await expireDue(store, orgId)) void send(runId).catch(() => false);
        nextInMs = (await store.asOrg(orgId, (tx) => readInboxHead(tx, orgId))).nextExpiryInMs;
      }
    } catch {
      nextInMs = ASK_AGAIN_MS;
    } finally {
      looking = false;
    }
    clearTimeout(timer);
    if (nextInMs === null || closed) return;
    const ms = Math.min(Math.max(1, Math.ceil(nextInMs)), LONGEST_TIMER_MS);
    timer = setTimeout(() => void look(), ms).unref();
  }

  const stop = store.announcer.listenInbox(orgId, () => {
    for (const listener of [...listeners]) listener();
    void look();
  });
  void look();
  return {
    listeners,
    close: () => {
      closed = true;
      clearTimeout(timer);
      stop();
    },
  };
}

async function expireDue(store: Store, orgId: string): Promise<readonly string[]> {
  const due = await store.asOrg(orgId, (tx) => runsWithExpired(tx, orgId));
  for (const { runId, pauseId } of due)
    await store.asOrg(orgId, async (tx) => {
      const run = await lockRun(tx, runId);
      if (run !== undefined) await readPause(tx, run, pauseId);
    });
  return due.map(({ runId }) => runId);
}
