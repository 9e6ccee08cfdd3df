// Arguments of a call, checked before anything is asked or run: strict JSON, an object, fitting the
// tool's schema. The canonical text that comes out is what is stored, hashed, shown and sent.

import type { ToolSnapshot } from '../contract/agent.ts';
import { canonicalJson } from '../json/canonical.ts';
import { parseStrict } from '../json/strict.ts';
import { checkedInTime } from './bounded-check.ts';
import { compileSchema, readableError } from './input-schema.ts';

export type Arguments = Readonly<Record<string, unknown>>;
/** `problem`: sentences for the model or the approver. */
export type CheckedArguments =
  | { readonly ok: true; readonly canonical: string; readonly value: Arguments }
  | { readonly ok: false; readonly problem: string };

/** Far over what a model writes in one call, far under what a row, an event and a page can show. */
const MAX_ARGUMENT_BYTES = 1_048_576;
const MAX_LISTED_PROBLEMS = 5;

/** Without a tool, any object is taken. */
export function checkArguments(rawText: string, tool: ToolSnapshot | undefined): CheckedArguments {
  // Some providers send nothing for a tool without arguments.
  const parsed = parseStrict(rawText.trim() === '' ? '{}' : rawText, {
    maxBytes: MAX_ARGUMENT_BYTES,
  });
  if (!parsed.ok) return { ok: false, problem: `the arguments cannot be used. ${parsed.problem}` };
  if (!isObject(parsed.value))
    return { ok: false, problem: 'the arguments must be a JSON object.' };
  const problem = tool === undefined ? undefined : argumentsProblem(parsed.value, tool);
  return problem === undefined
    ? { ok: true, canonical: canonicalJson(parsed.value), value: parsed.value }
    : { ok: false, problem };
}

export function argumentsProblem(value: Arguments, tool: ToolSnapshot): string | undefined {
  const schema = compileSchema(tool.input);
  if (!schema.ok) return "the tool's input schema cannot be used.";
  const fits = schema.costly ? checkedInTime(schema.validate, value) : schema.validate(value);
  if (fits === true) return undefined;
  if (fits === undefined)
    return "the arguments take too long to check against the tool's input: make them shorter or simpler.";
  const problems = [...new Set((schema.validate.errors ?? []).map(readableError))];
  const more =
    problems.length > MAX_LISTED_PROBLEMS
      ? `; and ${problems.length - MAX_LISTED_PROBLEMS} more`
      : '';
  return `the arguments do not fit the tool's input: ${problems.slice(0, MAX_LISTED_PROBLEMS).join('; ')}${more}.`;
}

const isObject = (value: unknown): value is Arguments =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
