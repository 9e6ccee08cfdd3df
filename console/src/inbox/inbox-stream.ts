// The inbox as it changes: the event stream of what waits for this person, opened again after it
// was cut, from where it was.

import { readEvents } from '../../../client/sse.ts';
import { ApiProblem, type Api } from '../api/api.ts';
import type { WaitingCall } from '../api/types.ts';

export interface InboxState {
  /** Oldest first. */
  readonly items: readonly WaitingCall[];
  /** live: it is what the server has; connecting: it may be older. */
  readonly connection: 'connecting' | 'live';
}

interface InboxFrame {
  readonly event: 'WAITING' | 'DECIDED';
  readonly data: WaitingCall;
}

/** The server sends comments more often than this. */
const SILENT_MS = 45_000;
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 10_000;

/** Runs until `signal` aborts, or until the API refuses: then it throws. */
export async function followInbox(
  api: Api,
  signal: AbortSignal,
  onState: (state: InboxState) => void,
): Promise<void> {
  const items = new Map<string, WaitingCall>();
  const tell = (connection: InboxState['connection']): void =>
    onState({ items: [...items.values()].sort(byAge), connection });
  let pause = PAUSE_MS;
  let after: string | undefined;
  while (!signal.aborted) {
    const connection = new AbortController();
    const leave = (): void => connection.abort();
    signal.addEventListener('abort', leave, { once: true });
    let silence = setTimeout(leave, SILENT_MS);
    const alive = (): void => {
      clearTimeout(silence);
      silence = setTimeout(leave, SILENT_MS);
    };
    try {
      const headers = after === undefined ? {} : { 'Last-Event-ID': after };
      const response = await api.open('/api/approvals/stream', {
        signal: connection.signal,
        headers,
      });
      tell('live');
      if (response.body !== null)
        for await (const { id, data } of readEvents(response.body, alive)) {
          pause = PAUSE_MS;
          if (id !== '') after = id;
          const frame = JSON.parse(data) as InboxFrame;
          const key = `${frame.data.pauseId} ${frame.data.callId}`;
          if (frame.event === 'WAITING') items.set(key, frame.data);
          else items.delete(key);
          tell('live');
        }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiProblem && error.status < 500 && error.status !== 429) {
        if (error.status !== 400 || after === undefined) throw error;
        // A place that the server does not know any more: from the beginning.
        after = undefined;
        items.clear();
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', leave);
      connection.abort();
    }
    tell('connecting');
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, PAUSE_MAX_MS);
  }
}

const byAge = (a: WaitingCall, b: WaitingCall): number =>
  a.requestedAt < b.requestedAt ? -1 : a.requestedAt > b.requestedAt ? 1 : 0;
