// The numbers that one process keeps of users and orgs, minute by minute. Minutes are the
// database's, once it has answered: its clock is the one that processes agree on, and a step of this
// machine's clock changes nothing.

import { sha256Hex } from '../../json/canonical.ts';
import type { RequestCount } from '../../store/request-counts.ts';
import { MINUTE_MS, standingOf, type Standing } from './request-quota.ts';

export interface Count {
  readonly orgId: string;
  readonly who: string;
  minute: number;
  mine: number;
  /** How many of mine the database knows. */
  known: number;
  mineBefore: number;
  others: number;
  othersBefore: number;
}

const NONE = { mine: 0, known: 0, mineBefore: 0, others: 0, othersBefore: 0 };

/** Users that are remembered though they ask no more: a minute's count fades within two. */
const KEPT_MINUTES = 2;

export interface MinuteCounts {
  /** `subject` undefined: of the org as a whole. */
  readonly of: (orgId: string, subject: string | undefined) => Count;
  /** What is left of a limit now. */
  readonly standing: (count: Count, limit: number) => Standing;
  /** Counted in this minute or the one before, and not known to the database. */
  readonly untold: (count: Count) => number;
  /** All with something untold, and what was left untold of minutes that have passed since. */
  readonly news: () => {
    readonly counts: readonly Count[];
    readonly late: readonly RequestCount[];
  };
  readonly anyUntold: () => boolean;
  readonly minute: () => number;
  readonly setClock: (nowMs: number) => void;
}

export function createMinuteCounts(): MinuteCounts {
  const counts = new Map<string, Count>();
  let late: RequestCount[] = [];
  let clockMs = Date.now() - performance.now();
  const nowMs = (): number => clockMs + performance.now();
  const minuteNow = (): number => Math.floor(nowMs() / MINUTE_MS);

  /** Brings a count to the present minute. */
  function roll(count: Count): Count {
    const minute = minuteNow();
    if (count.minute === minute) return count;
    const { orgId, who, mine, others } = count;
    if (mine > count.known) late.push({ orgId, who, minute: count.minute, used: mine });
    const next = count.minute + 1 === minute;
    return Object.assign(count, NONE, {
      minute,
      mineBefore: next ? mine : 0,
      othersBefore: next ? others : 0,
    });
  }
  const untold: MinuteCounts['untold'] = (count) => roll(count).mine - count.known;

  return {
    of: (orgId, subject) => {
      const key = subject === undefined ? orgId : `${orgId}\n${subject}`;
      const known = counts.get(key);
      if (known !== undefined) return roll(known);
      const who = subject === undefined ? '' : sha256Hex(subject);
      const made = { orgId, who, minute: minuteNow(), ...NONE };
      counts.set(key, made);
      return made;
    },
    standing: (count, limit) => {
      const { mine, others, mineBefore, othersBefore } = roll(count);
      const counted = { now: mine + others, before: mineBefore + othersBefore };
      return standingOf(limit, counted, nowMs() % MINUTE_MS);
    },
    untold,
    news: () => {
      for (const [key, count] of counts)
        if (count.minute < minuteNow() - KEPT_MINUTES) counts.delete(key);
      const told = { counts: [...counts.values()].filter((count) => untold(count) > 0), late };
      late = [];
      return told;
    },
    anyUntold: () => [...counts.values()].some((count) => untold(count) > 0),
    minute: minuteNow,
    setClock: (ms) => void (clockMs = ms - performance.now()),
  };
}
