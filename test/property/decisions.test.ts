import { onPostgres, openBench, type Bench } from '../store/fixture.ts';
import { holdsForInterleavings } from './decide-property.ts';

describe('random interleavings of votes, expiry, cancel and dispatch', function () {
  this.timeout(300_000);

  describe('on PGlite, one step after the other', () => {
    let bench: Bench;
    before(async () => {
      bench = await openBench();
    });
    after(() => bench.close());
    it('leave one decision a call, no dispatch without its approval, and none after an end, in 150 interleavings', () =>
      holdsForInterleavings(bench, 150));
  });

  describe('on PostgreSQL, at once over several connections', () => {
    const on = onPostgres();
    it('leave one decision a call, no dispatch without its approval, and none after an end, in 300 interleavings', () =>
      holdsForInterleavings(on.bench, 300));
  });
});
