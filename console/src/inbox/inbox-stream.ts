// The inbox as it changes: the event stream of what waits for this person, opened again after it
// was cut, from where it was.

import { ApiProblem, type Api } from '../api/api.ts';
import { followAlways } from '../api/follow-always.ts';
import type { WaitingCall } from '../api/types.ts';

export interface InboxState {
  /** Oldest first. */
  readonly items: readonly WaitingCall[];
  /** live: it is what the server has; connecting: it may be older. */
  readonly connection: 'connecting' | 'live';
  /**
   * When the page first saw it, by the server's clock; what was asked since then is news. The header
   * that says it has whole seconds: what was asked in that second before the page came is news too,
   * since missing a call is worse than announcing one that had waited for a moment.
   */
  readonly since: number | undefined;
}

interface InboxFrame {
  readonly event: 'WAITING' | 'DECIDED';
  readonly data: WaitingCall;
}

/** Runs until `signal` aborts, or until the API refuses: then it throws. */
export async function followInbox(
  api: Api,
  signal: AbortSignal,
  onState: (state: InboxState) => void,
  seenSince: number | undefined,
): Promise<void> {
  const items = new Map<string, WaitingCall>();
  let since = seenSince;
  const tell = (connection: InboxState['connection']): void =>
    onState({ items: [...items.values()].sort(byAge), connection, since });
  const stream = () =>
    followAlways<InboxFrame>(api, {
      path: '/api/approvals/stream',
      signal,
      onConnecting: () => tell('connecting'),
      onConnected: ({ headers }) => {
        since ??= Date.parse(headers.get('Date') ?? '') || Date.now();
        tell('live');
      },
      onFrame: ({ event, data }) => {
        const key = `${data.pauseId} ${data.callId}`;
        if (event === 'WAITING') items.set(key, data);
        else items.delete(key);
        tell('live');
      },
    });
  for (;;)
    try {
      return await stream();
    } catch (error) {
      // A place that the server does not know any more: from the beginning.
      if (!(error instanceof ApiProblem && error.status === 400 && items.size > 0)) throw error;
      items.clear();
    }
}

const byAge = (a: WaitingCall, b: WaitingCall): number =>
  a.requestedAt < b.requestedAt ? -1 : a.requestedAt > b.requestedAt ? 1 : 0;
