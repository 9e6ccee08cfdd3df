// Where on the page: the part of the address behind #, so that every place has a link of its own
// and the server needs to know none of them.

import { useEffect, useState } from 'react';

export type Place =
  | { readonly page: 'inbox' }
  | { readonly page: 'runs' }
  | { readonly page: 'run'; readonly runId: string }
  | { readonly page: 'call'; readonly runId: string; readonly callId: string }
  | { readonly page: 'knowledge' }
  | { readonly page: 'base'; readonly baseId: string }
  | { readonly page: 'memories' }
  | { readonly page: 'try' };

const ID = '([A-Za-z0-9_-]{1,100})';

export function placeOf(hash: string): Place {
  const call = new RegExp(`^#/calls/${ID}/${ID}$`).exec(hash);
  if (call) return { page: 'call', runId: call[1] ?? '', callId: call[2] ?? '' };
  const run = new RegExp(`^#/runs/${ID}$`).exec(hash);
  if (run) return { page: 'run', runId: run[1] ?? '' };
  const base = new RegExp(`^#/knowledge/${ID}$`).exec(hash);
  if (base) return { page: 'base', baseId: base[1] ?? '' };
  if (hash === '#/knowledge') return { page: 'knowledge' };
  if (hash === '#/memories') return { page: 'memories' };
  if (hash === '#/runs') return { page: 'runs' };
  if (hash === '#/try') return { page: 'try' };
  return { page: 'inbox' };
}

export const linkTo = {
  inbox: '#/inbox',
  runs: '#/runs',
  knowledge: '#/knowledge',
  base: (baseId: string): string => `#/knowledge/${baseId}`,
  memories: '#/memories',
  try: '#/try',
  run: (runId: string): string => `#/runs/${runId}`,
  call: (runId: string, callId: string): string => `#/calls/${runId}/${callId}`,
} as const;

export function usePlace(): Place {
  const [hash, setHash] = useState(() => location.hash);
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return placeOf(hash);
}
