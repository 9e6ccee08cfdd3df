// The vectors are of call-hash-vectors.py, which shares no line with the product.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { callIdOf, hashOfCall, pauseIdOf } from '../../src/store/calls/call-hash.ts';
import { argumentsHash, type HashedParts } from '../rig/arguments-hash.ts';

interface Vectors {
  readonly runId: string;
  readonly calls: readonly { name: string; call: HashedParts; hash: string }[];
  readonly ids: readonly { turn: number; index: number; callId: string; pauseId: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL('./call-hash-vectors.json', import.meta.url), 'utf8'),
) as Vectors;

describe("an approval's hash", () => {
  for (const { name, call, hash } of vectors.calls)
    it(`${name} is what another program hashes`, () => {
      const { org: orgId, ...rest } = call;
      assert.equal(hashOfCall({ orgId, ...rest }), hash);
      assert.equal(argumentsHash(call), hash, "and so does the tests' own");
    });

  it('covers org, run, call, tool, version and arguments: no two of the vectors are the same', () => {
    assert.equal(new Set(vectors.calls.map((one) => one.hash)).size, vectors.calls.length);
  });

  it('ids of calls and pauses follow from run, turn and place, as another program makes them', () => {
    for (const { turn, index, callId, pauseId } of vectors.ids) {
      assert.equal(callIdOf(vectors.runId, turn, index), callId);
      assert.equal(pauseIdOf(vectors.runId, turn, index), pauseId);
    }
  });
});
