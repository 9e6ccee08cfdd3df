// A key that no schema knows: which keys it could have been, and which one was probably meant.

import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import type { Path } from './file-problem.ts';

/** What to say of a key that is not among `known`. */
export function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  const names = known.length === 0 ? '' : ` (known here: ${known.toSorted().join(', ')})`;
  return near === undefined
    ? `is not known here${names}`
    : `is not known here: did you mean ${near}?${names}`;
}

/** A third of its letters may be wrong; one, of a short name. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((name) => ({ name, off: distance(plain(name), plain(key)) }))
    .toSorted((a, b) => a.off - b.off);
  return best !== undefined && best.off <= Math.max(1, Math.floor(best.name.length / 3))
    ? best.name
    : undefined;
}

/** `max_turns` and `max-turns` are maxTurns. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '');

/** The keys of the object at `path` of what `schema` reads; none where it is open. */
export function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  const here = bare(schema);
  const [step, ...rest] = path;
  if (here instanceof z.ZodArray && step !== undefined)
    return keysAt(here.element as z.ZodType, rest);
  if (!(here instanceof z.ZodObject)) return [];
  const shape = here.shape as Readonly<Record<string, z.ZodType>>;
  if (step === undefined) return Object.keys(shape);
  const next = shape[String(step)];
  return next === undefined ? [] : keysAt(next, rest);
}

/** Without what is wrapped around it: optional, default. */
function bare(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
    ? bare(schema.unwrap() as z.ZodType)
    : schema;
}
