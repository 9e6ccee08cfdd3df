// What of CEL a condition may use, and what it speaks of. The list of functions is closed: each is
// deterministic, and none takes longer than its values are long. Names of arguments are held against
// the tool's schema at every depth, since the library knows the types of objects alone. Pure.

import type { ASTNode } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { isIndirect, isOpen, isRecord, propertiesOf, type JsonSchema } from './argument-types.ts';

export interface Expression {
  /** As it is judged: `matches` in linear time. */
  readonly text: string;
  /** Top-level arguments that it speaks of. */
  readonly named: ReadonlySet<string>;
  readonly roots: ReadonlySet<string>;
  /** Its parts; a pattern counts with its length. */
  readonly nodes: number;
  /** How often what it is applied to may be gone over within itself: its cost grows by this power. */
  readonly nesting: number;
}
export type ReadExpression =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly problem: string };

const ROOTS = ['args', 'user', 'org', 'agent', 'run'];
const FUNCTIONS = ['has', 'size', 'int', 'double', 'string', 'timestamp', 'duration'];
const LOOPS = ['all', 'exists', 'exists_one', 'filter', 'map'];
const METHODS = ['size', 'startsWith', 'endsWith', 'contains', 'matches', 'sumOf'];

type Scope = ReadonlyMap<string, JsonSchema | undefined>;

interface Seen {
  readonly named: Set<string>;
  readonly roots: Set<string>;
  /** Where `matches` is written in the text. */
  readonly patterns: number[];
  nodes: number;
}

class Misuse extends Error {}
const refuse = (problem: string): never => {
  throw new Misuse(problem);
};

export function readExpression(
  text: string,
  parse: (text: string) => ASTNode,
  input: JsonSchema,
): ReadExpression {
  const seen: Seen = { named: new Set(), roots: new Set(), patterns: [], nodes: 0 };
  try {
    const nesting = look(parse(text), scopeOf(input), seen);
    return {
      ok: true,
      expression: { text: withLinearMatches(text, seen.patterns), nesting, ...seen },
    };
  } catch (error) {
    if (error instanceof Misuse) return { ok: false, problem: error.message };
    throw error;
  }
}

const scopeOf = (input: JsonSchema): Scope => {
  const call = { type: 'object', properties: { args: input } };
  const calls = { type: 'array', items: call };
  return new Map([
    ['args', input],
    ['run', { type: 'object', properties: { calls } }],
  ]);
};

/** The node and all below it; how often it goes over its values within itself. */
function look(node: ASTNode, scope: Scope, seen: Seen): number {
  seen.nodes++;
  const most = (nodes: readonly ASTNode[]): number =>
    Math.max(0, ...nodes.map((one) => look(one, scope, seen)));
  switch (node.op) {
    case 'value':
      return 0;
    case 'id':
      return lookAtName(node.args, scope, seen);
    case '.':
    case '[]': {
      const [owner, key] = node.args;
      const nesting = look(owner, scope, seen);
      schemaAt(node, scope, seen);
      return typeof key === 'string' ? nesting : Math.max(nesting, look(key, scope, seen));
    }
    case '.?':
    case '[?]':
      return refuse('uses optional values, which conditions have none of: use has()');
    case 'call': {
      const [name, args] = node.args;
      if (!FUNCTIONS.includes(name)) refuse(notHere(name, FUNCTIONS));
      return Math.max(most(args), name === 'has' ? 0 : 1);
    }
    case 'rcall':
      return lookAtMethod(node.args, node, scope, seen);
    case 'list':
      return most(node.args);
    case 'map':
      return most(node.args.flat());
    case '!_':
    case '-_':
      return look(node.args, scope, seen);
    case '?:':
      return most(node.args);
    case '||':
    case '&&':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '-':
    case '*':
    case '/':
    case '%':
      return most(node.args);
    // Texts, lists and objects are compared and joined part by part.
    case '==':
    case '!=':
    case 'in':
    case '+':
      return Math.max(1, most(node.args));
  }
}

function lookAtName(name: string, scope: Scope, seen: Seen): number {
  if (ROOTS.includes(name)) seen.roots.add(name);
  else if (!scope.has(name)) refuse(`speaks of "${name}", which is none of ${ROOTS.join(', ')}`);
  return 0;
}

function lookAtMethod(
  [name, owner, args]: readonly [string, ASTNode, readonly ASTNode[]],
  node: ASTNode,
  scope: Scope,
  seen: Seen,
): number {
  const nesting = look(owner, scope, seen);
  if (LOOPS.includes(name)) return Math.max(nesting, 1 + loop(name, owner, args, scope, seen));
  if (!METHODS.includes(name)) refuse(notHere(name, [...METHODS, ...LOOPS]));
  if (name === 'sumOf') checkSum(args, scope, seen);
  if (name === 'matches') {
    // Each character is held against the whole of the pattern.
    seen.nodes += checkPattern(args);
    seen.patterns.push(matchesAt(node, owner));
  }
  const inside = args.map((one) => look(one, scope, seen));
  return Math.max(1, nesting, ...inside);
}

/** `items.all(x, …)`: `x` is an item of what it goes over. */
function loop(
  name: string,
  owner: ASTNode,
  args: readonly ASTNode[],
  scope: Scope,
  seen: Seen,
): number {
  const [variable, ...rest] = args;
  if (variable?.op !== 'id') return refuse(`${name}() needs a name first, such as ${name}(x, …)`);
  if (ROOTS.includes(variable.args))
    refuse(`${name}() gives the name ${variable.args} another meaning`);
  const items = schemaAt(owner, scope, seen)?.['items'];
  const inner = new Map([...scope, [variable.args, isRecord(items) ? items : undefined] as const]);
  return Math.max(0, ...rest.map((one) => look(one, inner, seen)));
}

const notHere = (name: string, known: readonly string[]): string =>
  `uses ${name}(), which conditions do not have: there are ${known.join(', ')}`;

/**
 * The schema of what an expression names; undefined where it tells none. Throws for a name that the
 * schema does not have.
 */
function schemaAt(node: ASTNode, scope: Scope, seen: Seen): JsonSchema | undefined {
  if (node.op === 'id') return scope.get(node.args);
  if (node.op !== '.' && node.op !== '[]') return undefined;
  const [owner, key] = node.args;
  const name = typeof key === 'string' ? key : key.op === 'value' ? key.args : undefined;
  if (owner.op === 'id' && owner.args === 'args') {
    if (typeof name !== 'string') return refuse('reads args[…]: an argument is named as it is');
    seen.named.add(name);
  }
  const schema = schemaAt(owner, scope, seen);
  if (schema === undefined) return undefined;
  if (typeof name !== 'string') {
    const { items } = schema;
    return isRecord(items) ? items : undefined;
  }
  const properties = propertiesOf(schema);
  if (Object.hasOwn(properties, name)) return properties[name];
  if (isIndirect(schema) || isOpen(schema) || Object.keys(properties).length === 0)
    return undefined;
  return refuse(
    `speaks of "${name}", which the input does not have: it has ${Object.keys(properties).join(', ')}`,
  );
}

function checkSum([path, ...more]: readonly ASTNode[], scope: Scope, seen: Seen): void {
  const text = path?.op === 'value' ? path.args : undefined;
  if (typeof text !== 'string' || more.length > 0 || !/^args(\.[^.]+)+$/.test(text))
    return refuse('sumOf() needs one text, such as sumOf("args.amountCents")');
  const names = text.split('.').slice(1);
  let schema = scope.get('args');
  for (const name of names) {
    const properties = propertiesOf(schema ?? {});
    if (!Object.hasOwn(properties, name))
      refuse(`sums "${text}", but the input has no ${name} there`);
    schema = properties[name];
  }
  if (schema?.['type'] !== 'integer' && schema?.['type'] !== 'number')
    refuse(`sums "${text}", which is no number`);
  seen.roots.add('run');
}

/**
 * Its length. An expression that backtracks could be made to take minutes; this one reads each
 * character once.
 */
function checkPattern([pattern, ...more]: readonly ASTNode[]): number {
  const text = pattern?.op === 'value' ? pattern.args : undefined;
  if (typeof text !== 'string' || more.length > 0)
    return refuse('matches() needs a pattern that is written out');
  try {
    RE2JS.compile(text);
    return text.length;
  } catch {
    return refuse(`matches() has a pattern that RE2 cannot read: ${text}`);
  }
}

function matchesAt(node: ASTNode, owner: ASTNode): number {
  const found = /^[)\s]*\.\s*(?=matches\s*\()/.exec(node.input.slice(owner.end));
  return found === null
    ? refuse('writes matches() in a form that is not understood')
    : owner.end + found[0].length;
}

const withLinearMatches = (text: string, places: readonly number[]): string =>
  places
    .toSorted((a, b) => b - a)
    .reduce((t, at) => `${t.slice(0, at)}matchesLinear${t.slice(at + 'matches'.length)}`, text);
