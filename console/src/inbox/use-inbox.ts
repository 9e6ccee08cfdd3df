// One inbox for the whole page: the badge in the title, the list, sound and notifications are
// readers of it.

import { createContext, useContext, useEffect, useRef, useState } from 'react';
import { sentenceOf } from '../api/api.ts';
import type { Console } from '../shell/context.ts';
import { followInbox, type InboxState } from './inbox-stream.ts';

export interface Inbox extends InboxState {
  readonly problem?: string;
}

export const EMPTY: Inbox = { items: [], connection: 'connecting', since: undefined };
export const InboxContext = createContext<Inbox>(EMPTY);
export const useInbox = (): Inbox => useContext(InboxContext);

export function useInboxStream({ api, token }: Pick<Console, 'api' | 'token'>): Inbox {
  const [inbox, setInbox] = useState<Inbox>(EMPTY);
  const since = useRef<number>(undefined);
  useEffect(() => {
    const leaving = new AbortController();
    const show = (state: InboxState): void => {
      since.current = state.since;
      setInbox(state);
    };
    followInbox(api, leaving.signal, show, since.current).catch((error: unknown) => {
      if (!leaving.signal.aborted)
        setInbox((last) => ({ ...last, connection: 'connecting', problem: sentenceOf(error) }));
    });
    return () => leaving.abort();
    // A renewed token opens the stream anew: the old one ends with its own.
  }, [api, token]);
  return inbox;
}
