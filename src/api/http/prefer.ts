// The Prefer header (RFC 7240), as far as it is honoured: how long a caller waits for an answer. A
// malformed one is ignored.

import parsePreferHeader from 'parse-prefer-header';

export interface Preference {
  readonly waitMs: number;
  /** `Preference-Applied` of an answer; undefined where nothing was asked for. */
  readonly applied: (answered: 'in time' | 'accepted') => string | undefined;
}

export function readPreference(header: string, maxMs: number): Preference {
  const { wait, respondAsync } = parsePreferHeader(header);
  const asked =
    typeof wait === 'string' && /^\d{1,10}$/.test(wait) ? Number(wait) * 1000 : undefined;
  const async = respondAsync === true;
  const waitMs = Math.min(asked ?? (async ? 0 : maxMs), maxMs);
  return {
    waitMs,
    applied: (answered) => {
      const kept = [
        ...(async && answered === 'accepted' ? ['respond-async'] : []),
        ...(asked === undefined ? [] : [`wait=${Math.floor(waitMs / 1000)}`]),
      ];
      return kept.length === 0 ? undefined : kept.join(', ');
    },
  };
}
