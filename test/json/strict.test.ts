import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalJson, sha256Hex } from '../../src/json/canonical.ts';
import { storable } from '../../src/json/storable.ts';
import { parseStrict, type StrictLimits } from '../../src/json/strict.ts';

const refusal = (text: string, limits?: StrictLimits): string => {
  const result = parseStrict(text, limits);
  assert.equal(result.ok, false, `taken: ${text.slice(0, 80)}`);
  return result.ok ? '' : result.problem;
};

describe('strict JSON', () => {
  it('takes what JSON.parse takes, with the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value, null, 1);
        const result = parseStrict(text);
        // Generated numbers, keys and characters may be ones we refuse: then the problem must be
        // one of those.
        if (result.ok) assert.deepEqual(result.value, JSON.parse(text));
        else assert.match(result.problem, /whole number|surrogate|U\+0000|__proto__/);
      }),
    );
  });

  it('never throws, and never takes what JSON.parse refuses', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '\\u',
      'd800',
      '1',
      '-',
      'e',
      '.',
      'true',
      'null',
      ' ',
      '"a"',
      '\0',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(piece).map((p) => p.join('')),
        ),
        (text) => {
          const result = parseStrict(text);
          if (result.ok) assert.deepEqual(result.value, JSON.parse(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('refuses a key given twice, however it is spelled, and says where', () => {
    assert.equal(refusal('{"a":{"b":1,"b":2}}'), '"a.b" is given twice.');
    assert.equal(refusal('[0,{"b":1,"\\u0062":2}]'), '"[1].b" is given twice.');
    assert.equal(parseStrict('[{"b":1},{"b":2},"b","b"]').ok, true);
    assert.equal(parseStrict('{"a":"b","b":"a","c":["a","a"]}').ok, true);
  });

  it('refuses __proto__ as a key, also escaped, and takes it as a value', () => {
    assert.match(refusal('{"__proto__":{}}'), /not allowed/);
    assert.match(refusal('{"a":[{"\\u005f_proto__":1}]}'), /"a\[0\]\.__proto__" is not allowed/);
    assert.equal(parseStrict('{"a":"__proto__"}').ok, true);
  });

  it('refuses halves of surrogate pairs, raw and escaped, and takes whole ones', () => {
    for (const text of [
      '{"a":"\ud800"}',
      '{"a":"\\ud800"}',
      '{"a":"\\udc00\\ud800"}',
      '{"\\ud800":1}',
      '{"a":"\ud83d\\ude00"}',
    ])
      assert.match(refusal(text), /surrogate/);
    for (const text of ['{"a":"😀"}', '{"a":"\\ud83d\\ude00"}', '{"a":"\\\\ud800"}'])
      assert.equal(parseStrict(text).ok, true, text);
  });

  it('refuses U+0000 and takes a backslash before u0000', () => {
    assert.match(refusal('{"a":"x\\u0000"}'), /^"a" contains the character U\+0000/);
    assert.match(refusal('{"x\\u0000":1}'), /U\+0000/);
    assert.equal(parseStrict('{"a":"\\\\u0000"}').ok, true);
  });

  it('refuses whole numbers that would be rounded and numbers that would be infinite', () => {
    for (const number of [
      '9007199254740992',
      '-9007199254740993',
      '1e20',
      '123456789012345678901234567890',
    ])
      assert.match(refusal(`{"n":[${number}]}`), /^"n\[0\]" is a whole number beyond/);
    assert.match(refusal('1e400'), /too large/);
    assert.match(refusal('[-1e999]'), /too large/);
    assert.deepEqual(
      parseStrict('[9007199254740991,-9007199254740991,0.5,1e3,"9007199254740993"]'),
      {
        ok: true,
        value: [9007199254740991, -9007199254740991, 0.5, 1000, '9007199254740993'],
      },
    );
  });

  it('keeps to its limits of depth, keys and size, without recursion', () => {
    assert.equal(parseStrict('['.repeat(32) + ']'.repeat(32)).ok, true);
    assert.match(refusal('['.repeat(33) + ']'.repeat(33)), /more than 32 levels/);
    assert.match(refusal('{"a":'.repeat(200_000)), /more than 32 levels/);
    assert.match(refusal('{"a":{"b":1},"c":2}', { maxKeys: 2 }), /more than 2 keys/);
    assert.match(refusal('"éé"', { maxBytes: 5 }), /larger than 5 bytes/);
  });

  it('says the same of everything that is no JSON', () => {
    for (const text of [
      '',
      '{',
      '{"a":}',
      "{'a':1}",
      'NaN',
      '01',
      '1.',
      '"\\x"',
      '{"a":1}}',
      '[1,]',
      '"abc',
      '\u00a0{}',
    ])
      assert.match(refusal(text), /not valid JSON/, text);
  });

  it('says a problem in text that can be stored', () => {
    for (const text of ['{"a\\u0000":1}', '{"\\ud800":1}'])
      assert.equal(storable(refusal(text)).changed, false);
  });
});

describe('canonical JSON', () => {
  it('has one text for one value, whatever the order of keys and the spelling', () => {
    assert.equal(
      canonicalJson({ b: [1, 1e3, 0.1], a: 'é\n', '\u20ac': null, '1': true }),
      '{"1":true,"a":"é\\n","b":[1,1000,0.1],"€":null}',
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).toReversed());
        assert.equal(canonicalJson(turned), canonicalJson(value));
      }),
    );
  });

  it('is taken by the strict parser again, and stays the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const first = parseStrict(JSON.stringify(value));
        fc.pre(first.ok);
        const text = canonicalJson(first.value);
        const again = parseStrict(text);
        assert.ok(again.ok);
        assert.equal(canonicalJson(again.value), text);
      }),
    );
  });

  it('throws for what JSON has no form of', () => {
    for (const value of [undefined, NaN, Infinity, () => 1])
      assert.throws(() => canonicalJson(value));
  });

  it('is hashed as UTF-8', () => {
    assert.equal(
      sha256Hex('é'),
      '4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c',
    );
  });
});

describe('storable text', () => {
  it('has neither NUL nor half a surrogate pair, and nothing else changed', () => {
    assert.deepEqual(storable('a\0b\ud800c\udc00😀'), {
      text: 'a\ufffdb\ufffdc\ufffd😀',
      changed: true,
    });
    assert.deepEqual(storable('plain 😀'), { text: 'plain 😀', changed: false });
  });
});
