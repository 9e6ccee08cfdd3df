import assert from 'node:assert/strict';
import { estimateTokens } from '../../src/models/estimate-tokens.ts';

describe('models: estimateTokens', () => {
  it('counts four characters as a token, and begun ones as whole', () => {
    assert.deepEqual(['', 'a', 'four', 'fives'].map(estimateTokens), [0, 1, 1, 2]);
  });
  it('counts Chinese, Japanese, Korean and emoji one each', () => {
    assert.deepEqual(
      ['你好', 'こんにちは', '안녕', '😀😀', '你好 abc'].map(estimateTokens),
      [2, 5, 2, 2, 3],
    );
  });
});
