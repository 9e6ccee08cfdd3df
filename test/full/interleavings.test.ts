import { onPostgres, openBench, type Bench } from '../store/fixture.ts';
import { holdsForInterleavings } from '../property/decide-property.ts';

/** Fewer where CI asks for it; a seed goes on for as long as one likes. */
const SHARE = Number(process.env['INTERLEAVINGS_SHARE'] ?? 1);

describe('random interleavings of votes, expiry, cancel and dispatch, the long form', function () {
  this.timeout(1_200_000);

  describe('on PGlite', () => {
    let bench: Bench;
    before(async () => {
      bench = await openBench();
    });
    after(() => bench.close());
    it('the invariants of a decision hold after 1,000 sequences, one step after the other', () =>
      holdsForInterleavings(bench, 1000 * SHARE));
  });

  describe('on PostgreSQL', () => {
    const on = onPostgres();
    it('the invariants of a decision hold after 10,000 interleavings over several connections', () =>
      holdsForInterleavings(on.bench, 10_000 * SHARE));
  });
});
