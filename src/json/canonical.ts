// JSON with one spelling (RFC 8785): what is stored, hashed, shown and sent. Imports nothing of the
// project.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type declared from 'canonicalize';

// The package is CommonJS while its types claim an ES default export: under nodenext the import
// would be typed as what it is not.
const canonicalize = createRequire(import.meta.url)('canonicalize') as typeof declared.default;

/** Throws for what JSON has no form of: undefined, functions, NaN, Infinity, circles. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('the value has no JSON form');
  return text;
}

/** 64 hexadecimal digits, of the text's UTF-8. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');
