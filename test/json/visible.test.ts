import assert from 'node:assert/strict';
import { codeSpan, plainWords, visible } from '../../src/json/visible.ts';
import { callLabel } from '../../src/tools/label.ts';

/** Whatever Unicode itself says cannot be seen, looks like nothing, or changes how others read. */
const HIDDEN =
  /^(\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}|\p{Zs}|\p{Default_Ignorable_Code_Point}|\p{Variation_Selector}|\u2800)$/u;

describe('text that a person decides by', () => {
  it('shows every hidden character of Unicode by its number, and leaves every other as it is', () => {
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code);
      const hidden = character !== ' ' && HIDDEN.test(character);
      const shown = hidden ? `\\u{${code.toString(16)}}` : character;
      if (visible(`a${character}b`) !== `a${shown}b`) assert.fail(`U+${code.toString(16)}`);
      if (hidden && callLabel('t', { x: `a${character}b` }) !== `t a${shown}b`)
        assert.fail(`in a label: U+${code.toString(16)}`);
    }
  });

  it('has no way out of a code span, and no link, picture or HTML in a sentence', () => {
    assert.equal(codeSpan('a` <b>`'), '`a\u02cb <b>\u02cb`');
    assert.equal(
      plainWords('![x](http://y) <img> `c` \\'),
      '\\!\\[x\\](http://y) \\<img\\> \\`c\\` \\\\',
    );
  });
});
