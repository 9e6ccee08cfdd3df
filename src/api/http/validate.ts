// From what zod found to a refusal that names each field in our words. No schema of its own.

import type { z } from 'zod';
import { AppError, type FieldProblem } from '../../contract/errors.ts';

/** The parsed value, or INVALID_REQUEST. `what`: what is said of it as a whole. */
export function validate<T>(schema: z.ZodType<T>, value: unknown, what: Validated): T {
  const parsed = schema.safeParse(value, { error: wording });
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap((issue) => fieldProblems(issue, []));
  const first = errors
    .slice(0, SHOWN_IN_DETAIL)
    .map((e) => (e.path === '' ? `it ${e.message}` : `${e.path} ${e.message}`));
  const more =
    errors.length > SHOWN_IN_DETAIL ? `, and ${errors.length - SHOWN_IN_DETAIL} more` : '';
  throw new AppError('INVALID_REQUEST', `The ${what} is not valid: ${first.join('; ')}${more}.`, {
    errors: errors.slice(0, LISTED),
  });
}

type Validated = 'body' | 'query' | 'object of arguments';

const SHOWN_IN_DETAIL = 5;
const LISTED = 50;
/** Names come from the caller: enough to recognise, not enough to flood a log. */
const NAME_MAX_CHARS = 100;

type Issue = z.core.$ZodIssue;

function fieldProblems(issue: Issue, base: readonly PropertyKey[]): readonly FieldProblem[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      path: dotted([...path, key]),
      message: 'is not a known property',
    }));
  if (issue.code === 'invalid_union') {
    // Of the forms a body may have, the one that was missed by least is the one that was meant.
    const [meant] = issue.errors.toSorted((a, b) => weight(a) - weight(b));
    if (meant !== undefined && meant.length > 0)
      return meant.flatMap((inner) => fieldProblems(inner, path));
  }
  return [{ path: dotted(path), message: issue.message }];
}

const weight = (issues: readonly Issue[]): number =>
  issues.reduce(
    (sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1),
    0,
  );

const dotted = (path: readonly PropertyKey[]): string =>
  path.map((step) => String(step).slice(0, NAME_MAX_CHARS)).join('.');

/** For issues that the schema has no words of its own for. */
const wording: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${article(issue.expected)}`;
    case 'invalid_value':
      return issue.input === undefined
        ? 'is required'
        : `must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `is too small or too short (at least ${String(issue.minimum)})`;
    case 'too_big':
      return `is too large or too long (at most ${String(issue.maximum)})`;
    default:
      return 'is not valid';
  }
};

const article = (type: string): string => {
  const name = { string: 'text', int: 'whole number', record: 'object' }[type] ?? type;
  return name === 'text' ? 'text' : `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
};
