// A token's text before and beside its verification: jose reads JSON as JSON.parse does, which
// takes the last of two equal keys without a word, and it leaves to the caller which headers and
// types are welcome. Each refusal is a sentence.

import { base64url } from 'jose';
import { parseStrict } from '../../json/strict.ts';

const TYPES: readonly unknown[] = [undefined, 'jwt', 'at+jwt'];
/**
 * Headers that bring a key or its address along, and extensions that we would have to understand.
 */
const REFUSED_HEADERS = ['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'zip'];

type Json = Readonly<Record<string, unknown>>;

/** One segment of a token as an object; undefined where it is none, or not unambiguous. */
export function segment(token: string, index: 0 | 1): Json | undefined {
  try {
    const bytes = base64url.decode(token.split('.')[index] ?? '');
    const parsed = parseStrict(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return parsed.ok && isObject(parsed.value) ? parsed.value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function headerProblem(header: Json, algorithms: readonly string[]): string | undefined {
  if (typeof header['alg'] !== 'string' || !algorithms.includes(header['alg']))
    return 'is signed in a way that is not accepted here';
  const typ = header['typ'];
  if (!TYPES.includes(typeof typ === 'string' ? typ.toLowerCase() : typ))
    return 'is of a type that is not accepted here';
  const refused = REFUSED_HEADERS.find((name) => Object.hasOwn(header, name));
  return refused === undefined
    ? undefined
    : `carries the header ${refused}, which is not accepted here`;
}
