// How much of a repeated form is run. TEST_SHARE (0 < x <= 1, whole when it is not set): what runs
// before every change takes a part, and another part each time.

import { createRandom } from './random.ts';

const SHARE = Number(process.env['TEST_SHARE'] ?? 1);
const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const random = createRandom(SEED);

export const isWhole = SHARE >= 1;

/** At least `atLeast`. */
export const shareOf = (count: number, atLeast = 1): number =>
  Math.min(count, Math.max(atLeast, Math.ceil(count * SHARE)));

/** Drawn by chance, in their order; at least one. */
export function drawnFrom<T>(all: readonly T[]): readonly T[] {
  const indexes = random.shuffled(all.map((_, i) => i)).slice(0, shareOf(all.length));
  return all.filter((_, i) => indexes.includes(i));
}
