import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createMask, sentFromAddress } from '../../src/tools/mask.ts';

const SECRET = 'tok/en+1"2\\3 é&<4%2F5';
const mask = createMask([SECRET]);

const json = (text: string): string => JSON.stringify(text).slice(1, -1);
const everyUnit = (text: string, spell: (unit: number) => string): string =>
  Array.from({ length: text.length }, (_, at) => spell(text.charCodeAt(at))).join('');
const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');
const percent = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${hex(byte, 2)}`).join('');
const mixedCase = (text: string): string =>
  text.replace(/%[0-9a-f]{2}/gi, (p, at: number) =>
    at % 2 === 0 ? p.toUpperCase() : p.toLowerCase(),
  );
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const SPELLINGS: Readonly<Record<string, (text: string) => string>> = {
  'as it is': (text) => text,
  'as JSON': json,
  'as JSON with slashes escaped': (text) => json(text).replaceAll('/', '\\/'),
  'every character by its code, in JSON': (text) => everyUnit(text, (unit) => `\\u${hex(unit, 4)}`),
  'every character by its code, in capitals': (text) =>
    everyUnit(text, (unit) => `\\u${hex(unit, 4).toUpperCase()}`),
  'percent, as a component': encodeURIComponent,
  'percent, every byte': percent,
  'percent, in mixed case': (text) => mixedCase(encodeURIComponent(text)),
  'a form': (text) => new URLSearchParams({ a: text }).toString().slice(2),
  'HTML, by hexadecimal codes': (text) =>
    [...text].map((c) => `&#x${hex(c.codePointAt(0) ?? 0, 1)};`).join(''),
  'HTML, by decimal codes with zeros in front': (text) =>
    [...text].map((c) => `&#000${c.codePointAt(0)};`).join(''),
  'HTML, by names': (text) =>
    text.replace(
      /[&<"/+]/g,
      (c) => ({ '&': '&amp;', '<': '&lt;', '"': '&quot;', '/': '&sol;' })[c] ?? '&plus;',
    ),
  base64,
  'base64 behind one byte': (text) => base64(`a${text}b`),
  'base64 behind two bytes': (text) => base64(`ab${text}c`),
  'base64 for addresses': (text) => Buffer.from(`name:${text}`).toString('base64url'),
  hexadecimal: (text) => Buffer.from(text).toString('hex').toUpperCase(),
};

describe('a secret that a receiver echoes', () => {
  for (const [how, spell] of Object.entries(SPELLINGS))
    it(`is taken out where it is spelt so: ${how}`, () => {
      const text = mask(`{"sent":"${spell(SECRET)}","more":1}`);
      assert.match(text, /^\{"sent":".*\[secret\].*","more":1\}$/);
      assert.ok(text.length < 40, `what is left tells nothing: ${text}`);
    });

  it('is taken out where spellings lie in each other, two deep', () => {
    const whole = /base64|hexadecimal|HTML, by names|as it is/;
    for (const [inner, spell] of Object.entries(SPELLINGS))
      for (const [outer, again] of Object.entries(SPELLINGS)) {
        // Of base64 in base64 only what was sent so would be known.
        if (whole.test(outer) && whole.test(inner)) continue;
        if (/base64|hexadecimal/.test(outer)) continue;
        const text = mask(`x ${again(spell(SECRET))} y`);
        assert.match(text, /^x .*\[secret\].* y$/, `${inner} in ${outer}: ${text}`);
        // What may stand beside it are the characters of its neighbours, each up to nine long.
        assert.ok(text.length < 100, `${inner} in ${outer}: ${text}`);
      }
  });

  it('several secrets, overlapping and repeated, leave the rest of the text as it was', () => {
    const two = createMask(['abcdef', 'defghi']);
    assert.equal(two('1 abcdefghi 2 abcdef 3 %61bcdef 4'), '1 [secret] 2 [secret] 3 [secret] 4');
    assert.equal(createMask(['abc', ''])('abc %61bc'), 'abc %61bc', 'too short to be one');
  });

  it('the credentials of an address are known with the header that is made of them', () => {
    const known = createMask(sentFromAddress('https://ada:p%40ss-word@host.example/x'));
    for (const echoed of ['p@ss-word', 'p%40ss-word', `Basic ${base64('ada:p@ss-word')}`])
      assert.equal(known(`got ${echoed}!`).replace(/^got (Basic )?/, ''), '[secret]!', echoed);
  });

  it('what is set as the base64 of a name and a password is known as those, too', () => {
    const known = createMask([base64('ada:correct horse')]);
    assert.equal(known('{"password":"correct horse"}'), '{"password":"[secret]"}');
  });

  it('any secret, in any text around it, by any spelling; and no text without one is changed', () => {
    const around = fc
      .string({ maxLength: 20, unit: 'binary' })
      .map((s) => s.replace(/\p{Cs}/gu, ''));
    // What keys and passwords are made of; one that holds escapes of its own is not promised.
    const secret = fc.stringMatching(/^[A-Za-z0-9+/=_.~:@!$*-]{12,40}$/);
    fc.assert(
      fc.property(
        around,
        secret,
        around,
        fc.constantFrom(...Object.values(SPELLINGS)),
        (a, s, b, spell) => {
          const text = createMask([s])(`${a} ${spell(s)} ${b}`);
          assert.ok(!text.includes(spell(s)), 'gone');
          assert.ok(text.includes('[secret]'));
        },
      ),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const stored = text.replace(/\p{Cs}/gu, '?');
        assert.equal(createMask(['a-secret-that-is-not-there'])(stored), stored);
      }),
    );
  });

  it('costs what the text is long', () => {
    const known = createMask([SECRET, 'another-secret-of-ours']);
    const cost = (text: string): number => {
      const began = process.cpuUsage();
      known(text);
      const { user, system } = process.cpuUsage(began);
      return (user + system) / 1000;
    };
    for (const piece of ['&', '&#x0000000000', '\\', '\\u00', '%', '%25', '\\\\u005c', 'a'])
      assert.ok(cost(piece.repeat(270_000 / piece.length)) < 1500, piece);
  });
});
