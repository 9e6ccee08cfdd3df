// What others send costs what it is long: each parser of it is given n and 2n of the worst that is
// known for its kind, and twice as much may not cost much more than twice.

import assert from 'node:assert/strict';
import { questionsOf } from '../../src/activities/suggest-follow-ups.ts';
import { bodyText } from '../../src/egress/body-text.ts';
import { retryAfterMs } from '../../src/egress/retry-after.ts';
import { parseStrict } from '../../src/json/strict.ts';
import { storable } from '../../src/json/storable.ts';
import { codeSpan, plainWords, visible } from '../../src/json/visible.ts';
import { createReplyCollector } from '../../src/models/openai/collector.ts';
import { createBodyReader } from '../../src/models/openai/event-lines.ts';
import { refusalIn } from '../../src/models/openai/refusal.ts';
import { estimateTokens } from '../../src/models/estimate-tokens.ts';
import { backtest, type KeptCall } from '../../src/policy/backtest.ts';
import { checkArguments } from '../../src/tools/arguments.ts';
import { pageText } from '../../src/tools/examples/page-text.ts';
import { callLabel } from '../../src/tools/label.ts';
import { createMask } from '../../src/tools/mask.ts';
import { tool } from '../store/fixture.ts';

type Make = (n: number) => () => unknown;
const texts = (pieces: readonly string[], use: (text: string) => unknown): Record<string, Make> =>
  Object.fromEntries(
    pieces.map((piece) => [
      JSON.stringify(piece),
      (n) => {
        const text = piece.repeat(n / piece.length);
        return () => use(text);
      },
    ]),
  );

const collect =
  (fragment: (i: number) => unknown, reply = true): Make =>
  (n) => {
    const chunks = Array.from({ length: n / 20 }, (_, i) => ({
      choices: [{ delta: fragment(i) }],
    }));
    return () => {
      const collector = createReplyCollector(() => undefined);
      try {
        for (const chunk of chunks) collector.take(chunk);
        collector.take({ choices: [{ finish_reason: 'tool_calls' }] });
        if (reply) collector.reply('m');
      } catch {
        // Too large, or no reply: it is the cost that counts.
      }
    };
  };
const call = (more: object): object => ({ tool_calls: [{ index: 0, id: 'a', ...more }] });

const read =
  (piece: string): Make =>
  (n) =>
  () => {
    const reader = createBodyReader({ onData: () => undefined, onBody: () => undefined });
    for (let i = 0; i < n / 4; i++) {
      reader.take(piece);
      reader.pending();
    }
    reader.end();
  };

const check = (input: Readonly<Record<string, unknown>>, args: (n: number) => unknown): Make => {
  const of = tool('x', { input });
  return (n) => {
    const text = JSON.stringify(args(n));
    return () => checkArguments(text, of);
  };
};
const list = (items: object): Readonly<Record<string, unknown>> => ({
  type: 'object',
  properties: { list: { type: 'array', ...items } },
});
const strings = (n: number): unknown => ({
  list: Array.from({ length: n / 10 }, (_, i) => `s${i}`),
});

function fared(when: string): Make {
  const rule = { name: 'r', when, then: 'required' } as const;
  const input = {
    ...{ type: 'object', properties: { turn: { type: 'integer' } }, required: ['turn'] },
  };
  const of = { ...tool('x', { input }), rules: [rule] };
  return (n) => {
    const kept: KeptCall[] = Array.from({ length: n / 200 }, (_, i) => ({
      ...{ callId: `c${i}`, runId: 'run', args: { turn: i }, was: 'never', counts: true },
      ...{ rejectedByPeople: false, editedByPeople: false, userId: 'ada', roles: [] },
    }));
    return () => [...backtest(of, kept, { orgId: 'o', agentId: 'a', quorum: 1 })];
  };
}

const PARSERS: Readonly<Record<string, Readonly<Record<string, Make>>>> = {
  'strict JSON': texts(
    ['[', '[[],', '{"a":', '"\\u0061', '{"__proto__":1,', '1,', '\\', '-', '  '],
    (t) => [parseStrict(t), parseStrict(`[${t}]`), parseStrict(`"${t}"`)],
  ),
  'many keys': {
    'in one object': (n) => {
      const text = JSON.stringify(
        Object.fromEntries(Array.from({ length: n / 10 }, (_, i) => [`k${i}`, 1])),
      );
      return () => parseStrict(text);
    },
  },
  'a reply in fragments': {
    'empty ones': collect(() => ({ tool_calls: [{}] })),
    'of one argument': collect(() => call({ function: { name: 'f', arguments: 'a' } })),
    'whole ones, repeated': collect(() => call({ function: { name: 'f', arguments: '{}' } })),
    'each another call': collect((i) => ({
      tool_calls: [{ index: i, id: `c${i}`, function: { name: 'f', arguments: '{}' } }],
    })),
    'each another call at one index': collect((i) => ({
      tool_calls: [{ index: 0, id: `c${i}`, function: { name: 'f', arguments: '{' } }],
    })),
    'each with an unknown field of its own': collect((i) =>
      call({ [`x${i}`]: 1, function: { [`y${i}`]: 1 } }),
    ),
    'each with a reasoning entry': collect((i) => ({
      reasoning_details: [{ type: 't', index: i, text: 'x' }],
    })),
    'a message beside each delta': collect(() => ({ content: 'x' })),
  },
  'an event stream': {
    lines: read('data: a\n'),
    'without ends': read('data'),
    returns: read('\r\n:\r'),
    blank: read('\n\n'),
  },
  'a refusal': texts(['{"error":"', 'error ', ' '], (t) =>
    refusalIn({ error: { message: t, code: t, type: t } }),
  ),
  'follow-up questions': texts([' ', '\n', '```', '` ', '["a",'], (text) => [
    questionsOf({ text }),
    questionsOf({ text: `[${text}` }),
    questionsOf({ text: `${text}x` }),
  ]),
  'a page': texts(
    ['<', '<!--', '<script', '<script>', '<a ', '<title>', '&', '&#x', '&amp', '</', ' ', '\n'],
    pageText,
  ),
  'hidden characters': texts(['\u200b', 'a', '`', '\ud800', '<'], (t) => [
    visible(t),
    codeSpan(t),
    plainWords(t),
    storable(t),
    callLabel('x', { t }),
    estimateTokens(t),
  ]),
  'an echo with a secret taken out': texts(
    ['&#x0', '\\u00', '%', '%25', 'YWFh', 'a'],
    createMask(['aaaaaaaaaaaaaaab', 'secret-of-ours']),
  ),
  'a header': texts([' ', '1', 'Mon, '], (t) => retryAfterMs(`${t}x`)),
  arguments: {
    'unique items': check(list({ uniqueItems: true }), strings),
    'unique objects': check(list({ uniqueItems: true }), (n) => ({
      list: Array.from({ length: n / 20 }, (_, i) => ({ i })),
    })),
    'items that do not fit': check(list({ items: { type: 'number' } }), strings),
    'names that are not declared': check({ type: 'object', properties: {} }, (n) =>
      Object.fromEntries(Array.from({ length: n / 10 }, (_, i) => [`k${i}`, 1])),
    ),
    'items that must contain': check(list({ contains: { const: 1 } }), strings),
  },
  rules: {
    "the kept calls of one run, by rules that look at each call's arguments":
      fared('args.turn > 1'),
  },
};

const START = 20_000;
const ENOUGH_MS = 30;
const LARGEST = 640_000;

function cost(run: () => unknown): number {
  const began = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}
const least = (run: () => unknown): number => Math.min(cost(run), cost(run), cost(run));

describe('repository: what others send costs what it is long', () => {
  for (const [parser, kinds] of Object.entries(PARSERS))
    it(parser, function () {
      this.timeout(60_000);
      for (const [kind, make] of Object.entries(kinds)) {
        // A size at which it takes long enough to be measured; most never do.
        let n = START;
        let once = least(make(n));
        while (once < ENOUGH_MS && n < LARGEST) once = least(make((n *= 2)));
        assert.ok(once < 3000, `${kind}: ${once} ms for ${n}`);
        if (once < ENOUGH_MS) continue;
        // Linear: four times as much, with room for the collection of garbage; quadratic: sixteen.
        const ratio = least(make(4 * n)) / once;
        assert.ok(
          ratio < 10,
          `${kind}: ${once} ms for ${n}, ${ratio} times as much for four times that`,
        );
      }
    });

  it('the body of an answer', async () => {
    for (const piece of ['<meta ', '\ufffd', '\u0001', ';', '\xff']) {
      const took = async (n: number): Promise<number> => {
        const began = process.cpuUsage();
        await bodyText({
          bytes: Buffer.from(piece.repeat(n / piece.length), 'latin1'),
          truncated: true,
          contentType: undefined,
          contentEncoding: undefined,
          maxBytes: n,
        });
        return process.cpuUsage(began).user / 1000;
      };
      assert.ok((await took(2_000_000)) < 1500, piece);
    }
  });

  it('a pattern that backtracks, and alternatives that refer to themselves, are given up in time', () => {
    const deep = (n: number): unknown => (n === 0 ? 1 : { a: deep(n - 1) });
    const self = { $ref: '#' };
    for (const [input, args] of [
      [
        { type: 'object', properties: { s: { type: 'string', pattern: '^(a+)+$' } } },
        { s: `${'a'.repeat(60)}!` },
      ],
      [
        {
          anyOf: [
            {
              type: 'object',
              properties: { a: self },
              required: ['b'],
              additionalProperties: true,
            },
            {
              type: 'object',
              properties: { a: self },
              required: ['c'],
              additionalProperties: true,
            },
          ],
        },
        deep(30),
      ],
    ] as const) {
      const began = performance.now();
      const checked = checkArguments(JSON.stringify(args), tool('x', { input }));
      assert.ok(!checked.ok && /take too long/.test(checked.problem), JSON.stringify(checked));
      assert.ok(performance.now() - began < 3000);
    }
    const fine = tool('x', {
      input: { type: 'object', properties: { s: { type: 'string', pattern: '^a+$' } } },
    });
    assert.ok(checkArguments('{"s":"aaa"}', fine).ok, 'and the next one is checked as ever');
    assert.ok(!checkArguments('{"s":"b"}', fine).ok);
  });
});
