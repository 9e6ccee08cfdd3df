// A problem of an agent file: where, and words that follow it. Turns zod's issues into such, one
// rule for every schema of a file.

import type { z } from 'zod';
import { keysAt, unknownKey } from './near-names.ts';

export type Path = readonly (string | number)[];
export interface FileProblem {
  readonly path: Path;
  readonly message: string;
}

/**
 * Every problem of `value`, which `schema` refused with `issues`. `base`: where it is in the
 * file.
 */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  schema: z.ZodType,
  base: Path = [],
): readonly FileProblem[] {
  return issues.flatMap((issue) => {
    const inside = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    const path = [...base, ...inside];
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, inside);
      return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, known) }));
    }
    return [{ path, message: at(value, inside) === undefined ? 'is missing' : messageOf(issue) }];
  });
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (node, step) =>
      typeof node === 'object' && node !== null
        ? (node as Record<string, unknown>)[step]
        : undefined,
    value,
  );
}

const NOUN: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};
const UNIT: Readonly<Record<string, string>> = {
  string: ' characters long',
  array: ' entries long',
};

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      // A message of the schema's own is kept.
      return issue.message.startsWith('Invalid input')
        ? `must be ${NOUN[issue.expected] ?? issue.expected}`
        : issue.message;
    case 'too_big':
      return issue.message.startsWith('Too big')
        ? `must be at most ${String(issue.maximum)}${UNIT[issue.origin] ?? ''}`
        : issue.message;
    case 'too_small':
      if (!issue.message.startsWith('Too small')) return issue.message;
      return Number(issue.minimum) === 1 && UNIT[issue.origin] !== undefined
        ? 'must not be empty'
        : `must be at least ${String(issue.minimum)}${UNIT[issue.origin] ?? ''}`;
    case 'invalid_value':
      return `must be ${issue.values.map(String).join(' or ')}`;
    default:
      return issue.message;
  }
}
