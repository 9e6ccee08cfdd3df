import assert from 'node:assert/strict';
import { effectKey, isKeyTemplate } from '../../src/policy/effect-key.ts';

describe('the name of an effect', () => {
  it('is made of the arguments, of which none can pass for another or for the text between', () => {
    const key = (args: object): string => effectKey('refund:{a}:{ b }', { ...args });
    assert.equal(key({ a: 'x', b: 1 }), 'refund:x:1');
    assert.equal(key({ a: 'x', b: '1' }), 'refund:x:1');
    assert.notEqual(key({ a: 'x:y', b: 'z' }), key({ a: 'x', b: 'y:z' }));
    assert.notEqual(key({ a: 'A', b: '' }), key({ a: 'a', b: '' }));
    assert.equal(key({ a: '\ud800', b: 'ä/{a}' }), 'refund:%EF%BF%BD:%C3%A4%2F%7Ba%7D');
  });

  it('needs a place, and braces that belong to one', () => {
    for (const good of ['{a}', 'x:{a}', '{a}{b}']) assert.ok(isKeyTemplate(good), good);
    for (const bad of ['x', '', 'x}', '{a', '{a}}', '{{a}}']) assert.ok(!isKeyTemplate(bad), bad);
  });
});
