// Plays so many interleavings and prints the seed and what happened in them: where nothing was
// dispatched nothing was shown. On PGlite by fast-check's own runner, which shrinks; a race does
// not come back while it is shrunk, so on a real server the scripts are drawn from the seed and
// played side by side, and a failing one is shown whole.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Bench } from '../store/fixture.ts';
import { interleaving, play, type Interleaving } from './interleaving.ts';
import { assertInvariants } from './invariants.ts';

/** Runs side by side, so that all connections of the pool are used. */
const AT_ONCE = 8;

export async function holdsForInterleavings(bench: Bench, count: number): Promise<void> {
  const seed = Number(process.env['FAST_CHECK_SEED'] ?? Date.now() % 2 ** 31);
  console.log(`      seed ${seed} on ${bench.db.kind}`);
  const seen = { runs: 0, dispatched: 0, rejected: 0, ended: 0 };
  async function holds(script: Interleaving): Promise<void> {
    const played = await play(bench, script);
    await assertInvariants(bench, played, script.quorum);
    seen.runs++;
    if (played.sent.length > 0) seen.dispatched++;
    if (played.facts.some((fact) => fact.what === 'rejected')) seen.rejected++;
    if (played.facts.some((fact) => fact.what === 'cancelled')) seen.ended++;
  }
  if (bench.db.kind === 'pglite')
    await fc.assert(fc.asyncProperty(interleaving, holds), { numRuns: count, seed });
  else {
    const scripts = fc.sample(interleaving, { numRuns: count, seed }).values();
    const lane = async (): Promise<void> => {
      for (const script of scripts)
        await holds(script).catch((cause: unknown) => {
          throw new Error(`${String(cause)}\nseed ${seed}, script ${JSON.stringify(script)}`, {
            cause,
          });
        });
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }
  console.log(
    `      ${seen.runs} interleavings: ${seen.dispatched} with a dispatch, ${seen.rejected} with a rejection or expiry, ${seen.ended} ended from outside`,
  );
  assert.ok(seen.runs >= count);
  for (const kind of ['dispatched', 'rejected', 'ended'] as const)
    assert.ok(seen[kind] > count / 10, `${kind}: ${seen[kind]} of ${count}`);
}
