import { openBench, type Bench } from './fixture.ts';
import { describeStore } from './contract.ts';

describe('the store on PGlite', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());
  describeStore(() => bench);
});
