import assert from 'node:assert/strict';
import { createFairTurns } from '../../src/temporal/fair-turns.ts';

describe('turns', () => {
  it('are taken by owners one after the other, however many one of them has waiting', async () => {
    const turns = createFairTurns(2);
    const order: string[] = [];
    let atOnce = 0;
    const one = async (owner: string): Promise<void> => {
      const done = await turns.take(owner);
      order.push(owner);
      assert.ok(++atOnce <= 2);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      done();
      done();
    };
    const loud = Array.from({ length: 20 }, () => one('loud'));
    const quiet = [one('quiet'), one('other'), one('quiet')];
    await Promise.all([...loud, ...quiet]);
    assert.equal(order.length, 23);
    // Two had places; after them each owner in turn, the one that came first among them.
    assert.deepEqual(order.slice(0, 7), [
      ...['loud', 'loud', 'loud', 'quiet', 'other', 'loud', 'quiet'],
    ]);
  });

  it('come at once where there are places again', async () => {
    const turns = createFairTurns(1);
    for (let i = 0; i < 3; i++) (await turns.take('a'))();
  });
});
