// Seeded chance: the same seed draws the same schedule and the same plans. Not for secrets.

export interface Random {
  /** 0 <= x < 1 */
  readonly next: () => number;
  /** Whole, both ends included. */
  readonly int: (from: number, to: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
  readonly chance: (share: number) => boolean;
  readonly shuffled: <T>(of: readonly T[]) => T[];
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  const pick = <T>(from: readonly T[]): T => {
    const one = from[int(0, from.length - 1)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  };
  return {
    next,
    int,
    pick,
    chance: (share) => next() < share,
    shuffled: (of) => {
      const rest = [...of];
      return of.map(() => rest.splice(int(0, rest.length - 1), 1)[0] as (typeof of)[number]);
    },
  };
}
