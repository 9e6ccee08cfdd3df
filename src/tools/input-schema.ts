// JSON Schemas of tools, compiled: 2020-12, or draft-07 where a schema says so or is only valid as
// that. Keeps a bounded cache, by the schema's hash: snapshots come out of the store as new objects
// every time.

import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, Options, ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { FormatsPlugin } from 'ajv-formats';
import { canonicalJson, sha256Hex } from '../json/canonical.ts';
import { mayBeCostly } from './bounded-check.ts';
import { closed } from './closed-schema.ts';
import { linearUniqueItems } from './unique-items.ts';

// CommonJS whose types claim an ES default export, as with canonicalize.
const addFormats = createRequire(import.meta.url)('ajv-formats') as FormatsPlugin;

export type InputSchema = Readonly<Record<string, unknown>>;
export type CompiledSchema =
  | { readonly ok: true; readonly validate: ValidateFunction; readonly costly: boolean }
  | { readonly ok: false; readonly problem: string };

/** More tools than one process is seen to serve; a compiled schema takes some 20 KB. */
const CACHE_SIZE = 500;
const cache = new Map<string, CompiledSchema>();

export function compileSchema(schema: InputSchema): CompiledSchema {
  const key = sha256Hex(canonicalJson(schema));
  const known = cache.get(key);
  if (known !== undefined) return known;
  const compiled = compileFirst(schema, draftsOf(schema));
  const [oldest] = cache.keys();
  if (cache.size >= CACHE_SIZE && oldest !== undefined) cache.delete(oldest);
  cache.set(key, compiled);
  return compiled;
}

type Draft = (options: Options) => Ajv;
// 2019-09 reads what draft-07 says, and knows what is evaluated, which `closed` needs. Draft-07's
// array form of `items` is the same in both.
const draft07: Draft = (options) => new Ajv2019(options);
const draft2020: Draft = (options) => new Ajv2020(options);

function draftsOf({ $schema }: InputSchema): readonly Draft[] {
  if (typeof $schema !== 'string') return [draft2020, draft07];
  return /draft-0[67]/.test($schema) ? [draft07] : [draft2020];
}

function compileFirst(schema: InputSchema, drafts: readonly Draft[]): CompiledSchema {
  // Our own choice of draft replaces `$schema`, and an `$id` would only make two tools collide.
  const { $schema: _, $id: __, ...bare } = schema;
  let problem = '';
  for (const draft of drafts) {
    try {
      // A fresh instance each: schemas must not see one another's definitions. Not strict: unknown
      // keywords are annotations.
      const ajv = draft({ strict: false, allErrors: true, logger: false });
      addFormats(ajv);
      linearUniqueItems(ajv);
      return { ok: true, validate: ajv.compile(closed(bare)), costly: mayBeCostly(bare) };
    } catch (error) {
      problem ||= error instanceof Error ? error.message.slice(0, 300) : 'cannot be compiled';
    }
  }
  return { ok: false, problem };
}

/** `to: must be a string`, from ajv's pointer and words. */
export function readableError(error: ErrorObject): string {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step, i) => (/^\d+$/.test(step) ? `[${step}]` : `${i === 0 ? '' : '.'}${step}`))
    .join('');
  const at = (name: unknown): string => `${path === '' ? '' : `${path}.`}${String(name)}`;
  const params: Readonly<Record<string, unknown>> = error.params;
  switch (error.keyword) {
    case 'required':
      return `${at(params['missingProperty'])} is missing`;
    case 'additionalProperties':
      return `${at(params['additionalProperty'])} is not an argument of this tool`;
    case 'unevaluatedProperties':
      return `${at(params['unevaluatedProperty'])} is not an argument of this tool`;
    case 'enum':
      return `${path}: must be one of ${JSON.stringify(params['allowedValues']).slice(1, -1)}`;
    case 'const':
      return `${path}: must be ${JSON.stringify(params['allowedValue'])}`;
    default:
      return `${path === '' ? 'the arguments' : `${path}:`} ${error.message ?? 'do not fit'}`;
  }
}
