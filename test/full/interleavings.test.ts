import { onPostgres, openBench, type Bench } from '../store/fixture.ts';
import { holdsForInterleavings } from '../property/decide-property.ts';
import { shareOf } from '../rig/share.ts';

describe('random interleavings of votes, expiry, cancel and dispatch, the long form', function () {
  this.timeout(1_200_000);

  describe('on PGlite', () => {
    let bench: Bench;
    before(async () => {
      bench = await openBench();
    });
    after(() => bench.close());
    it('the invariants of a decision hold after 1,000 sequences, one step after the other', () =>
      holdsForInterleavings(bench, shareOf(1000)));
  });

  describe('on PostgreSQL', () => {
    const on = onPostgres();
    it('the invariants of a decision hold after 10,000 interleavings over several connections', () =>
      holdsForInterleavings(on.bench, shareOf(10_000)));
  });
});
