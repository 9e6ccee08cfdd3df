// Rules over arguments, without a store: as a table, as properties, and against who wants past them.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { THEN, type Rule, type ToolSnapshot } from '../../src/contract/agent.ts';
import { compileCondition, type CallFacts } from '../../src/policy/expression.ts';
import { judgeCall, type Judgement } from '../../src/policy/judge.ts';
import { checkArguments } from '../../src/tools/arguments.ts';
import { httpTool } from '../tools/snapshots.ts';
import { SLIPS } from './slips.ts';

type Arguments = Readonly<Record<string, unknown>>;

const REFUND = {
  type: 'object',
  properties: {
    amountCents: { type: 'integer' },
    orderId: { type: 'string' },
    express: { type: 'boolean' },
    items: { type: 'array', items: { type: 'object', properties: { sku: { type: 'string' } } } },
    rate: { type: 'number' },
  },
  required: ['amountCents', 'orderId'],
};
const small: Rule = {
  name: 'small',
  when: 'args.amountCents > 0 && args.amountCents <= 2000 && args.orderId.startsWith("o-")',
  then: 'never',
};

const tool = (rules: readonly Rule[], more: Partial<ToolSnapshot> = {}): ToolSnapshot => ({
  ...httpTool({ url: 'http://127.0.0.1:9/refund' }),
  input: REFUND,
  rules: [...rules],
  ...more,
});
const facts = (args: Arguments, more: Partial<CallFacts> = {}): CallFacts => ({
  args,
  user: { id: 'ada', roles: ['support'] },
  orgId: 'acme',
  agentId: 'shop',
  earlier: [],
  ...more,
});
const order = (amountCents: number, more: Arguments = {}): Arguments => ({
  amountCents,
  orderId: 'o-1',
  ...more,
});
const then = (rules: readonly Rule[], args: Arguments, more?: Partial<CallFacts>): string =>
  judgeCall(tool(rules), 1, facts(args, more)).then;
const rule = (when: string, more: Partial<Rule> = {}): Rule => ({
  name: 'a',
  when,
  then: 'never',
  ...more,
});
const matches = (
  when: string,
  args: Arguments = order(1500),
  more?: Partial<CallFacts>,
): unknown => {
  const compiled = compileCondition(when, REFUND);
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.problem);
  const verdict = compiled.condition.judge(facts(args, more));
  return 'matches' in verdict ? verdict.matches : 'no answer';
};
const problem = (when: string, input: Arguments = REFUND): string => {
  const compiled = compileCondition(when, input);
  return compiled.ok ? 'taken' : compiled.problem;
};

describe('approval rules', () => {
  describe('judge a condition', () => {
    const long = 'x'.repeat(300_000);
    const TABLE: readonly (readonly [string, unknown, Arguments?, Partial<CallFacts>?])[] = [
      ['args.amountCents <= 1500', true],
      ['args.amountCents < 1500', false],
      ['args.amountCents == 1500 && args.orderId == "o-1"', true],
      ['args.amountCents in [100, 1500]', true],
      ['args.express', 'no answer'],
      ['has(args.express) && args.express', false],
      ['!has(args.express) || !args.express', true],
      ['args.express == true', true, order(1, { express: true })],
      ['args.rate <= 2', true, order(1, { rate: 2 })],
      ['args.rate * 2.0 > 1.5', true, order(1, { rate: 1 })],
      ['size(args.orderId) == 3', true],
      ['args.orderId.matches("^o-[0-9]+$")', true],
      ['args.orderId.matches("^o-[a-z]+$")', false],
      ['args.orderId.contains("-") && args.orderId.endsWith("1")', true],
      ['args.items.all(i, i.sku.startsWith("s"))', true, order(1, { items: [{ sku: 's1' }] })],
      ['args.items.exists(i, i.sku == "x")', false, order(1, { items: [{ sku: 's1' }] })],
      ['size(args.items) < 3', 'no answer'],
      ['user.id == "ada" && org.id == "acme" && agent.id == "shop"', true],
      ['"support" in user.roles', true],
      ['"support" in user.roles', 'no answer', order(1), { user: { id: 'ada', roles: null } }],
      ['size(run.calls) == 0 && run.sumOf("args.amountCents") == 0', true],
      [
        'run.sumOf("args.amountCents") + args.amountCents <= 3000',
        false,
        order(1500),
        { earlier: [order(1501)] },
      ],
      [
        'run.sumOf("args.amountCents") + args.amountCents <= 3000',
        true,
        order(1500),
        { earlier: [order(1500)] },
      ],
      ['run.sumOf("args.rate") < 1.0', 'no answer', order(1), { earlier: [order(1)] }],
      [
        'run.calls.all(c, c.args.orderId != args.orderId)',
        false,
        order(1),
        { earlier: [order(2)] },
      ],
      ['args.orderId == "o-1"', 'no answer', order(1, { orderId: `${long}${long}` })],
      [
        'args.items.all(i, args.items.all(j, i.sku == j.sku))',
        'no answer',
        order(1, { items: Array.from({ length: 500 }, () => ({ sku: 'a' })) }),
      ],
      ['timestamp(args.orderId) > timestamp("2020-01-01T00:00:00Z")', 'no answer'],
    ];
    for (const [when, answer, args, more] of TABLE)
      it(`${when} is ${String(answer)} of ${JSON.stringify(args ?? order(1500)).slice(0, 60)}`, () =>
        assert.equal(matches(when, args, more), answer));

    it('within a time that the text of a pattern cannot stretch', () => {
      const begun = performance.now();
      matches('args.orderId.matches("(a+)+$")', order(1, { orderId: `${'a'.repeat(40_000)}!` }));
      assert.ok(performance.now() - begun < 2000, `${performance.now() - begun} ms`);
    });
  });

  describe('take no condition', () => {
    const WRONG: readonly (readonly [string, RegExp])[] = [
      ['args.amuontCents > 5', /"amuontCents".*amountCents, orderId/],
      ['args["amuontCents"] > 5', /amuontCents/],
      ['has(args.amuontCents)', /amuontCents/],
      ['args.items.all(i, i.sky == "a")', /"sky".*sku/],
      ['run.calls.exists(c, c.args.amuont > 1)', /amuont/],
      ['run.sumOf("args.amuontCents") > 5', /amuontCents/],
      ['run.sumOf("args.orderId") > 5', /no number/],
      ['run.sumOf(args.orderId) > 5', /one text/],
      ['args.amountCents == "5"', /int == string/],
      ['args.amountCents', /true or false/],
      ['args.amountCents >', /EOF/],
      ['amountCents > 5', /"amountCents", which is none of/],
      ['now() > 5', /now\(\)/],
      ['args.orderId.lowerAscii() == "o-1"', /lowerAscii/],
      ['args.orderId.matches(args.orderId)', /written out/],
      ['args.orderId.matches("(")', /RE2/],
      ['args.items.all(args, true)', /another meaning/],
      ['cel.bind(x, 1, x == 1)', /cel/],
      [`args.orderId == "${'x'.repeat(5000)}"`, /longer than/],
    ];
    for (const [when, why] of WRONG)
      it(`${when.slice(0, 60)}`, () => assert.match(problem(when), why));
  });

  describe('join', () => {
    it('what several say: the strictest, the largest quorum, the highest risk, those whom all lists name', () => {
      const judged = judgeCall(
        tool([
          rule('true', {
            name: 'a',
            then: 'required',
            quorum: 2,
            approvers: ['user:ada', 'user:lea', 'user:max'],
          }),
          rule('args.amountCents > 100', { name: 'b', then: 'required', risk: 'high' }),
          rule('args.amountCents > 200', {
            name: 'c',
            then: 'required',
            approvers: ['user:max', 'user:lea'],
          }),
          rule('args.amountCents > 300', { name: 'd', then: 'refuse', reason: 'By hand.' }),
        ]),
        1,
        facts(order(250)),
      );
      assert.deepEqual(
        [judged.then, judged.quorum, judged.risk, judged.approvers],
        ['required', 2, 'high', [['user:lea', 'user:max']]],
      );
      assert.deepEqual(
        judged.rules.map((r) => r.name),
        ['a', 'b', 'c'],
      );
    });
    it('lists with roles as lists that all must be satisfied', () => {
      const judged = judgeCall(
        tool([rule('true', { then: 'required', approvers: ['role:lead', 'user:max'] })], {
          approvers: ['role:finance'],
        }),
        1,
        facts(order(1)),
      );
      assert.deepEqual(judged.approvers, [['role:finance'], ['role:lead', 'user:max']]);
    });
    it('to a refusal where nobody would be left to approve', () => {
      const judged = judgeCall(
        tool([rule('true', { then: 'required', approvers: ['user:max'] })], {
          approvers: ['user:lea'],
        }),
        1,
        facts(order(1)),
      );
      assert.equal(judged.then, 'refuse');
      assert.match(judged.refusal ?? '', /fewer people/);
    });
    it('a never on what is of high risk to required', () => {
      const judged = judgeCall(tool([small], { risk: 'high' }), 1, facts(order(1)));
      assert.equal(judged.then, 'required');
    });
    it('what cannot be judged as required: it is neither let through nor refused', () => {
      const haste = rule('args.express', { name: 'haste', then: 'refuse' });
      assert.equal(then([small, haste], order(1)), 'required');
      assert.equal(then([small, haste], order(1, { express: false })), 'never');
      assert.equal(then([small, haste], order(1, { express: true })), 'refuse');
    });
    it('what no rule matches as the tool says, and required where it says nothing', () => {
      for (const otherwise of THEN)
        assert.equal(
          judgeCall(tool([small], { otherwise }), 1, facts(order(5000))).then,
          otherwise,
        );
      assert.equal(then([small], order(5000)), 'required');
    });
    it('a rule in the shadow without effect, but to the record', () => {
      const trial = rule('true', { name: 'trial', then: 'refuse', shadow: true });
      const judged = judgeCall(tool([small, trial]), 1, facts(order(1)));
      assert.deepEqual([judged.then, judged.refusal], ['never', null]);
      assert.deepEqual(
        judged.rules.map((r) => [r.name, r.shadow ?? false]),
        [
          ['small', false],
          ['trial', true],
        ],
      );
    });
  });

  describe('let nobody past a bound', () => {
    const refund = { ...tool([small]), input: { ...REFUND, additionalProperties: false } };
    for (const [what, text] of SLIPS)
      it(`${what}`, () => {
        const checked = checkArguments(text, refund);
        if (!checked.ok) return; // told to the model
        const judged = judgeCall(refund, 1, facts(JSON.parse(checked.canonical) as Arguments));
        assert.notEqual(judged.then, 'never', checked.canonical);
      });
    it(`of ${SLIPS.length} ways, at least 200, while what is within it runs`, () => {
      assert.ok(SLIPS.length >= 200, String(SLIPS.length));
      for (const text of ['1', '2000', '1500.0', '15e2'])
        assert.equal(
          judgeCall(
            refund,
            1,
            facts(
              JSON.parse(
                (
                  checkArguments(`{"amountCents":${text},"orderId":"o-1"}`, refund) as {
                    canonical: string;
                  }
                ).canonical,
              ) as Arguments,
            ),
          ).then,
          'never',
        );
    });
  });

  describe('for random schemas, rules and arguments', () => {
    const ATOMS = {
      integer: ['>= 0', '< 100', '== 7'],
      string: ['== "a"', '!= ""', '.startsWith("b")', '.matches("^[ab]+$")'],
      boolean: ['== true', '!= true'],
    } as const;
    const NAMES = ['a', 'b', 'c'] as const;
    const schemaOf = fc.record({
      a: fc.constantFrom('integer', 'string', 'boolean'),
      b: fc.constantFrom('integer', 'string', 'boolean'),
      c: fc.constantFrom('integer', 'string', 'boolean'),
    });
    const value = fc.oneof(
      fc.integer({ min: -5, max: 200 }),
      fc.constantFrom('', 'a', 'b', 'ab', 'zz'),
      fc.boolean(),
      fc.constant(undefined),
    );
    const world = schemaOf.chain((types) =>
      fc.record({
        types: fc.constant(types),
        rules: fc.array(
          fc
            .record({
              parts: fc.array(
                fc
                  .constantFrom(...NAMES)
                  .chain((name) =>
                    fc
                      .constantFrom(...ATOMS[types[name]])
                      .map((atom) =>
                        atom.startsWith('.') ? `args.${name}${atom}` : `args.${name} ${atom}`,
                      ),
                  ),
                { minLength: 1, maxLength: 3 },
              ),
              join: fc.constantFrom(' && ', ' || '),
              then: fc.constantFrom(...THEN),
              quorum: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
              risk: fc.constantFrom('normal', 'high', undefined),
              approvers: fc.option(
                fc.subarray(['user:ada', 'user:lea', 'role:lead', 'role:money'], { minLength: 1 }),
                { nil: undefined },
              ),
              shadow: fc.boolean(),
            })
            .map(({ parts, join, quorum, risk, approvers, ...r }): Rule => ({
              ...r,
              name: 'r',
              when: parts.join(join),
              ...(quorum === undefined ? {} : { quorum }),
              ...(risk === undefined ? {} : { risk }),
              ...(approvers === undefined ? {} : { approvers }),
            })),
          { maxLength: 5 },
        ),
        args: fc.record({ a: value, b: value, c: value }),
      }),
    );
    const made = (
      types: Readonly<Record<string, string>>,
      rules: readonly Rule[],
    ): ToolSnapshot => ({
      ...tool(rules),
      input: {
        type: 'object',
        properties: Object.fromEntries(
          Object.entries(types).map(([name, type]) => [name, { type }]),
        ),
      },
    });
    const clean = (args: Arguments): Arguments =>
      Object.fromEntries(Object.entries(args).filter(([, v]) => v !== undefined));
    const rank = (j: Judgement): number => THEN.indexOf(j.then);

    it('the answer is the strictest of those that match, and what cannot be judged is never let through', () => {
      fc.assert(
        fc.property(world, ({ types, rules, args }) => {
          const one = (each: readonly Rule[]): Judgement =>
            judgeCall(made(types, each), 1, facts(clean(args)));
          const judged = one(rules);
          const inForce = judged.rules.filter((r) => r.shadow === undefined);
          // Each by itself, told apart from no match by what holds otherwise.
          const alone = rules
            .filter((r) => !r.shadow)
            .map((r) =>
              judgeCall({ ...made(types, [r]), otherwise: 'never' }, 1, facts(clean(args))),
            );
          const strictest = Math.max(0, ...alone.map(rank));
          assert.ok(inForce.length === 0 || rank(judged) >= strictest);
          if (inForce.some((r) => r.problem !== undefined)) assert.notEqual(judged.then, 'never');
          if (inForce.length === 0) assert.equal(judged.then, 'required');
        }),
        { numRuns: 400 },
      );
    });
    it('one more rule never loosens what another holds: not the answer, the quorum, the risk, nor who may', () => {
      fc.assert(
        fc.property(world, ({ types, rules, args }) => {
          const of = (each: readonly Rule[]): Judgement =>
            judgeCall(made(types, each), 1, facts(clean(args)));
          for (let n = 1; n <= rules.length; n++) {
            const [fewer, more] = [of(rules.slice(0, n - 1)), of(rules.slice(0, n))];
            // Where none matched, what holds otherwise gives way to the rule: that is what it is for.
            if (!fewer.rules.some((r) => r.shadow === undefined)) continue;
            assert.ok(rank(more) >= rank(fewer), `${fewer.then} became ${more.then}`);
            assert.ok(more.quorum >= fewer.quorum);
            assert.ok(more.risk === 'high' || fewer.risk === 'normal');
            for (const voter of [
              ['user:ada'],
              ['user:lea', 'role:lead'],
              ['role:lead', 'role:money'],
            ]) {
              const may = (j: Judgement): boolean =>
                j.approvers.every((list) => list.some((who) => voter.includes(who)));
              assert.ok(!may(more) || may(fewer), `${voter.join()} may now`);
            }
          }
        }),
        { numRuns: 400 },
      );
    });
  });
});
