// The sentence that people decide by.

import assert from 'node:assert/strict';
import { readSentence, renderSentence } from '../../src/policy/sentence.ts';

const render = (
  summary: string,
  args: Readonly<Record<string, unknown>>,
  labels: readonly { readonly name: string; readonly label: string }[] = [],
): string | undefined => renderSentence({ summary, labels: [...labels] }, args);

describe('a sentence', () => {
  const TABLE: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
    ['Refund {a | money} of order {o}', { a: 123_450, o: 'o-7' }, 'Refund 1 234.50 of order o-7'],
    ['{a|money}', { a: 5 }, '0.05'],
    ['{a | money}', { a: 0 }, '0.00'],
    ['{a | money}', { a: -123_456_789 }, '-1 234 567.89'],
    ['{a | money}', { a: 9_007_199_254_740_991 }, '90 071 992 547 409.91'],
    ['{a | money}', { a: 1.5 }, '1.5'],
    ['{a | money}', { a: '1250' }, '1250'],
    ['{a | money:c}', { a: 1250, c: 'EUR' }, 'EUR 12.50'],
    ['{a | money : c}', { a: 1250 }, '(none) 12.50'],
    ['{d | date}', { d: '2026-03-01T15:05:00+01:00' }, '2026-03-01 14:05 UTC'],
    ['{d | date}', { d: '2026-03-01T14:05:09.5Z' }, '2026-03-01 14:05:09 UTC'],
    ['{d | date}', { d: 'tomorrow' }, 'tomorrow'],
    ['{d | date}', { d: '2026-13-01T14:05:09Z' }, '2026-13-01T14:05:09Z'],
    ['to {l | list}', { l: ['ada', 'lea'] }, 'to ada, lea'],
    ['to {l | list}', { l: ['ada, lea', 'max'] }, 'to "ada, lea", max'],
    ['to {l | list}', { l: [] }, 'to (none)'],
    [
      '{l | list}',
      { l: Array.from({ length: 25 }, (_, i) => i) },
      `${[...Array(20).keys()].join(', ')} and 5 more`,
    ],
    ['{t | text}', { t: 'x'.repeat(203) }, `${'x'.repeat(200)}… (3 more characters)`],
    ['{t}', { t: '' }, '""'],
    ['{t}', { t: null }, '(none)'],
    ['{t}', { t: { a: [1] } }, '{"a":[1]}'],
    ['{t} {u}', { t: true, u: 0.5 }, 'true 0.5'],
    [
      '{o}',
      { o: 'o-1\u202e\u200b\n of order o-2\u00a0' },
      'o-1\\u{202e}\\u{200b}\\u{a} of order o-2\\u{a0}',
    ],
    ['{o}', { o: '{a | money}' }, '{a | money}'],
  ];
  for (const [summary, args, text] of TABLE)
    it(`${summary} with ${JSON.stringify(args).slice(0, 50)} reads as it should`, () =>
      assert.equal(render(summary, args), text));

  it('is followed by its labels, a line each, which no argument can pretend to be', () => {
    const labels = [
      { name: 'note', label: 'Note' },
      { name: 'to', label: 'Recipient' },
    ];
    assert.equal(
      render('Pay.', { note: 'x\nRecipient: ada', to: 'eve' }, labels),
      'Pay.\nNote: x\\u{a}Recipient: ada\nRecipient: eve',
    );
  });

  it('is bounded, and cuts no character in two', () => {
    const text = render(
      '{a}{b}{c}{d}{e}{f}{g}{h}{i}',
      Object.fromEntries([...'abcdefghi'].map((name) => [name, '\u{1f600}'.repeat(5000)])),
    );
    assert.ok((text ?? '').length < 8100);
    assert.doesNotMatch(text ?? '', /\p{Cs}/u);
  });

  it('is none where the tool has none', () => assert.equal(renderSentence({}, {}), undefined));

  it('with a place, a filter or a brace that means nothing is not taken', () => {
    for (const wrong of [
      '{a | mony}',
      '{}',
      '{ | money}',
      'a } b',
      '{a',
      '{a | money:}',
      '{a | date:b}',
      '{a | money:b:c}',
    ])
      assert.equal(readSentence(wrong).ok, false, wrong);
  });
});
