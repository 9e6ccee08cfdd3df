// Which arguments a tool's schema lets in, by name: what a rule that says never must bound, and what
// a sentence must show.

import { isOpen, isRecord, propertiesOf, type JsonSchema } from '../policy/argument-types.ts';

/** Parts of a schema that describe the same value. */
const TOGETHER = ['allOf', 'anyOf', 'oneOf', 'if', 'then', 'else', 'dependentSchemas'];

interface LetIn {
  readonly names: readonly string[];
  /** Words for arguments of any name; undefined: there are none. */
  readonly open: string | undefined;
}

/** What the schema lets in at the top: a name that it does not declare is refused as it is. */
export function argumentsLetIn(input: JsonSchema): LetIn {
  if ('$ref' in input || '$dynamicRef' in input) return { names: [], open: 'what a $ref says' };
  const parts = TOGETHER.flatMap((key) => {
    const value = input[key];
    const each = key === 'dependentSchemas' && isRecord(value) ? Object.values(value) : [value];
    return each.flat().filter(isRecord);
  }).map(argumentsLetIn);
  const names = [...Object.keys(propertiesOf(input)), ...parts.flatMap((part) => part.names)];
  const open = isOpen(input)
    ? 'arguments that it does not declare'
    : parts.find((part) => part.open !== undefined)?.open;
  return { names: [...new Set(names)], open };
}
