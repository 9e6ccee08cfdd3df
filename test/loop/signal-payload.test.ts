import assert from 'node:assert/strict';
import { boundedPayload, MOST_SIGNALS } from '../../src/workflows/signal-payload.ts';

describe("operators' signals", () => {
  // One byte a character, two, three, a pair of surrogates, and what JSON escapes.
  for (const character of ['a', 'é', '€', '😀', '\u0001', '"'])
    it(`as many and as long as are held fit into one input: ${JSON.stringify(character)}`, () => {
      for (const length of [1000, 5000, 10_000, 16_000, 40_000]) {
        const payload = { reason: character.repeat(length) };
        const held = Array.from({ length: MOST_SIGNALS }, () => boundedPayload(payload));
        const bytes = Buffer.byteLength(JSON.stringify(held));
        assert.ok(bytes < 2 * 1024 * 1024 * 0.6, `${length}: ${bytes}`);
      }
      const typed = { reason: character.repeat(2000), callId: 'call_1' };
      assert.deepEqual(boundedPayload(typed), typed);
    });

  it('nothing is null, as a workflow is given it', () => {
    assert.equal(boundedPayload(undefined), null);
  });
});
