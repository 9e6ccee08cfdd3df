// One condition in CEL over a call: read, checked against the tool's schema, and judged within a
// bounded cost. The cost is counted from the expression and the size of what it is applied to, never
// measured, so that the same call is judged the same everywhere. Pure.

import { Environment, type ASTNode } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { canonicalJson, sha256Hex } from '../json/canonical.ts';
import { argumentTypes, celValue, weightOf, type JsonSchema } from './argument-types.ts';
import { readExpression, type Expression } from './expression-syntax.ts';

type Arguments = Readonly<Record<string, unknown>>;

export interface CallFacts {
  readonly args: Arguments;
  /** null: not known, since somebody else started the run for the user. */
  readonly user: { readonly id: string; readonly roles: readonly string[] | null };
  readonly orgId: string;
  readonly agentId: string;
  /** Earlier calls of the same tool in the run, in their order; rejected and refused ones not. */
  readonly earlier: readonly Arguments[];
}

export type Verdict = { readonly matches: boolean } | { readonly problem: string };

export interface Condition {
  /** Top-level arguments that it speaks of. */
  readonly named: ReadonlySet<string>;
  /** It speaks of nothing else. */
  readonly argumentsAlone: boolean;
  readonly judge: (facts: CallFacts) => Verdict;
}
export type CompiledCondition =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly problem: string };

/** Far above what a policy needs, and read in a millisecond. */
const MAX_CHARS = 4000;
const LIMITS = {
  maxAstNodes: 500,
  maxDepth: 50,
  maxListElements: 200,
  maxMapEntries: 50,
  maxCallArguments: 8,
};
/** Steps: about a tenth of a second at the worst. */
const MAX_COST = 1_000_000;

/** Conditions of the agents that one process is seen to serve; one takes some 10 KB. */
const CACHE_SIZE = 2000;
const cache = new Map<string, CompiledCondition>();

export function compileCondition(when: string, input: JsonSchema): CompiledCondition {
  const key = sha256Hex(canonicalJson([when, input]));
  const known = cache.get(key);
  if (known !== undefined) return known;
  const compiled = compile(when, input);
  const [oldest] = cache.keys();
  if (cache.size >= CACHE_SIZE && oldest !== undefined) cache.delete(oldest);
  cache.set(key, compiled);
  return compiled;
}

class RunFacts {
  readonly calls: readonly unknown[];
  readonly args: readonly Arguments[];
  constructor(earlier: readonly Arguments[], input: JsonSchema) {
    this.args = earlier;
    this.calls = earlier.map((args) => ({ args: celValue(args, input) }));
  }
}

function compile(when: string, input: JsonSchema): CompiledCondition {
  if (when.length > MAX_CHARS) return wrong(`is longer than ${MAX_CHARS} characters`);
  try {
    const env = environment(input);
    const read = readExpression(when, (text) => env.parse(text).ast, input);
    if (!read.ok) return wrong(read.problem);
    const checked = env.check(read.expression.text);
    if (!checked.valid) return wrong(sentence(checked.error));
    if (checked.type !== 'bool')
      return wrong(`must be true or false, but is ${checked.type ?? ''}`);
    const { expression } = read;
    const run = env.parse(expression.text);
    return {
      ok: true,
      condition: {
        named: expression.named,
        argumentsAlone: [...expression.roots].every((root) => root === 'args'),
        judge: (facts) => judge(run, expression, facts, input),
      },
    };
  } catch (error) {
    return wrong(sentence(error));
  }
}

const wrong = (problem: string): CompiledCondition => ({ ok: false, problem });

/** The library draws the place below its message. */
const sentence = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'cannot be read';

function environment(input: JsonSchema): Environment {
  return new Environment({ limits: LIMITS })
    .registerVariable({ name: 'args', schema: argumentTypes(input) })
    .registerVariable({ name: 'user', schema: { id: 'string', roles: 'list<string>' } })
    .registerVariable({ name: 'org', schema: { id: 'string' } })
    .registerVariable({ name: 'agent', schema: { id: 'string' } })
    .registerType('RunFacts', { ctor: RunFacts, fields: { calls: 'list<dyn>' } })
    .registerVariable('run', 'RunFacts')
    .registerFunction('RunFacts.sumOf(string): dyn', sumOf)
    .registerFunction('string.matchesLinear(string): bool', (text: string, pattern: string) =>
      RE2JS.compile(pattern).matcher(text).find(),
    );
}

/** `path` is `args.…`. Exact where every term is whole, as amounts in minor units are. */
function sumOf({ args }: RunFacts, path: string): bigint | number {
  const terms = args.map((one) => {
    const value = path
      .split('.')
      .slice(1)
      .reduce<unknown>((at, name) => (at as Readonly<Record<string, unknown>> | null)?.[name], one);
    if (typeof value !== 'number') throw new Error(`an earlier call has no number ${path}`);
    return value;
  });
  return terms.every((term) => Number.isSafeInteger(term))
    ? terms.reduce((sum, term) => sum + BigInt(term), 0n)
    : terms.reduce((sum, term) => sum + term, 0);
}

function judge(
  run: { (context: Readonly<Record<string, unknown>>): unknown; readonly ast: ASTNode },
  { nodes, nesting, roots }: Expression,
  { args, user, orgId, agentId, earlier }: CallFacts,
  input: JsonSchema,
): Verdict {
  const weight =
    weightOf(args) +
    (roots.has('run') ? weightOf(earlier) : 0) +
    (roots.has('user') ? weightOf(user.roles) : 0);
  if (nodes * weight ** nesting > MAX_COST)
    return { problem: 'the arguments are too large for it to be judged' };
  try {
    const answer = run({
      args: celValue(args, input),
      user: { id: user.id, ...(user.roles === null ? {} : { roles: [...user.roles] }) },
      org: { id: orgId },
      agent: { id: agentId },
      // They may be many: not taken in where the expression does not name them.
      run: new RunFacts(roots.has('run') ? earlier : [], input),
    });
    return typeof answer === 'boolean'
      ? { matches: answer }
      : { problem: 'it is neither true nor false' };
  } catch (error) {
    return { problem: sentence(error) };
  }
}
