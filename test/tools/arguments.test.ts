import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ToolSnapshot } from '../../src/contract/agent.ts';
import { argumentsProblem, checkArguments } from '../../src/tools/arguments.ts';
import { callLabel } from '../../src/tools/label.ts';
import { httpTool } from './snapshots.ts';

const tool = (input: Record<string, unknown>): ToolSnapshot => ({
  ...httpTool({ url: 'http://x/' }),
  input,
});
const mail = tool({
  type: 'object',
  properties: {
    to: { type: 'string', format: 'email' },
    n: { type: 'integer' },
    how: { enum: ['fast', 'slow'] },
    lines: { type: 'array', items: { type: 'string' } },
  },
  required: ['to'],
  additionalProperties: false,
});
const problem = (text: string, of: ToolSnapshot | undefined = mail): string => {
  const result = checkArguments(text, of);
  assert.equal(result.ok, false, `taken: ${text}`);
  return result.ok ? '' : result.problem;
};

describe('arguments of a call', () => {
  it('become canonical JSON where they fit', () => {
    const result = checkArguments(' {"to": "a@b.example", "n": 1.0, "how": "fast"} ', mail);
    assert.deepEqual(result, {
      ok: true,
      canonical: '{"how":"fast","n":1,"to":"a@b.example"}',
      value: { to: 'a@b.example', n: 1, how: 'fast' },
    });
  });

  it('are an empty object where a provider sends nothing', () => {
    assert.deepEqual(checkArguments(' ', tool({ type: 'object' })), {
      ok: true,
      canonical: '{}',
      value: {},
    });
  });

  it('are refused as broken, ambiguous, unsafe or no object', () => {
    assert.match(problem('{"to":'), /not valid JSON/);
    assert.match(problem('{"to":"a@b.c","to":"d@e.f"}'), /"to" is given twice/);
    assert.match(problem('{"to":"a@b.c","n":9007199254740993}'), /"n" is a whole number beyond/);
    for (const text of ['[]', 'null', '"a"', '1'])
      assert.match(problem(text, undefined), /must be a JSON object/);
  });

  it('get every way in which they do not fit, with paths', () => {
    assert.equal(
      problem('{"n":1.5,"how":"x","lines":["a",1],"more":1}'),
      'the arguments do not fit the tool\'s input: to is missing; more is not an argument of this tool; n: must be integer; how: must be one of "fast","slow"; lines[1]: must be string.',
    );
    assert.match(problem('{"to":"nobody"}'), /to: must match format "email"/);
    assert.equal(argumentsProblem({ to: 'a@b.example' }, mail), undefined);
  });

  it('are checked by draft 2020-12 and by draft-07 alike', () => {
    const tuple2020 = tool({
      type: 'object',
      properties: { a: { type: 'array', prefixItems: [{ type: 'string' }], items: false } },
    });
    const tuple07 = tool({
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: { a: { type: 'array', items: [{ type: 'string' }], additionalItems: false } },
    });
    const undeclared07 = tool({
      type: 'object',
      properties: { a: { type: 'array', items: [{ type: 'string' }], additionalItems: false } },
    });
    for (const each of [tuple2020, tuple07, undeclared07]) {
      assert.equal(checkArguments('{"a":["x"]}', each).ok, true);
      assert.equal(checkArguments('{"a":[1]}', each).ok, false);
      assert.equal(checkArguments('{"a":["x","y"]}', each).ok, false);
    }
  });

  it('are checked by their own schema where two share an id', () => {
    const [first, second] = ['string', 'number'].map((type) =>
      tool({ $id: 'urn:same', type: 'object', properties: { a: { type } } }),
    );
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(checkArguments('{"a":"x"}', first).ok, true);
    assert.equal(checkArguments('{"a":1}', second).ok, true);
  });
});

describe('arguments that the schema does not declare', () => {
  const id = { type: 'string' };
  const object = { type: 'object' };
  const refused = (schema: Record<string, unknown>, value: unknown): string =>
    problem(JSON.stringify(value), tool(schema));
  const taken = (schema: Record<string, unknown>, value: unknown): void => {
    const result = checkArguments(JSON.stringify(value), tool(schema));
    assert.ok(result.ok, result.ok ? '' : result.problem);
  };

  it('are refused by name unless it says additionalProperties: true, whatever draft and form it has', () => {
    const forms: readonly Record<string, unknown>[] = [
      { ...object, properties: { id } },
      { $schema: 'http://json-schema.org/draft-07/schema#', ...object, properties: { id } },
      { ...object, allOf: [{ properties: { id } }] },
      { ...object, anyOf: [{ properties: { id } }, { properties: { q: id } }] },
      { ...object, $ref: '#/$defs/all', $defs: { all: { properties: { id } } } },
      JSON.parse('{"type":"object","if":{"required":["id"]},"then":{"properties":{"id":{}}}}'),
    ];
    for (const form of forms) {
      taken(form, { id: '1' });
      assert.match(refused(form, { id: '1', customer: 'globex' }), /customer is not an argument/);
      taken({ ...form, additionalProperties: true }, { id: '1', customer: 'globex' });
    }
    assert.match(refused(object, { customer: 'globex' }), /customer is not an argument/);
    taken({ ...object, patternProperties: { '^x_': id } }, { x_a: 'b' });
  });

  it('are refused inside of others too, where those declare what is in them', () => {
    const to = { ...object, properties: { id } };
    for (const properties of [{ to }, { to: { anyOf: [to, id] } }])
      assert.match(refused({ ...object, properties }, { to: { id: '1', cc: 'x' } }), /cc|fit/);
    const list = { ...object, properties: { to: { type: 'array', items: to } } };
    assert.match(refused(list, { to: [{ id: '1', cc: 'x' }] }), /cc is not an argument/);
    taken({ ...object, properties: { free: object } }, { free: { cc: 'x' } });
    const open = { ...to, additionalProperties: true };
    taken({ ...object, properties: { to: open } }, { to: { cc: 'x' } });
  });

  it('of thirty thousand items are distinguished in time that grows with them', () => {
    const unique = { ...object, properties: { all: { type: 'array', uniqueItems: true } } };
    const all = Array.from({ length: 30_000 }, (_, i) => [`${i}`]);
    const startedAt = performance.now();
    taken(unique, { all });
    assert.match(refused(unique, { all: [...all, ['7']] }), /the same item twice/);
    assert.match(
      refused(unique, {
        all: [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
      }),
      /twice/,
    );
    // Compared in pairs, they take most of a minute.
    assert.ok(performance.now() - startedAt < 10_000);
  });
});

describe('the label of a call', () => {
  it('is the name and the first scalar argument', () => {
    assert.equal(callLabel('get', { list: [1], ticker: 'AAPL', n: 2 }), 'get AAPL');
    assert.equal(callLabel('get', { list: [], none: null }), 'get');
    assert.equal(callLabel('get', { on: false }), 'get false');
  });

  it('is one line of at most 80 characters without anything that changes how it reads', () => {
    assert.equal(callLabel('a', { x: 'b\n\u202ec' }), 'a b\\u{a}\\u{202e}c');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const label = callLabel('send_email', { text });
        assert.ok(label.length <= 80);
        assert.doesNotMatch(label, /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
      }),
    );
  });
});
