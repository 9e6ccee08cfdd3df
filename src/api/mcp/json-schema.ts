// A schema as JSON Schema 2020-12 that refers to nothing outside itself, as MCP's clients want it;
// in the words of the OpenAPI document.

import type { z } from 'zod';
import { createSchema } from 'zod-openapi';
import { plainer } from '../documentation/plainer.ts';

export type ObjectSchema = { readonly type: 'object' } & Readonly<Record<string, unknown>>;

export function objectSchema(schema: z.ZodType, io: 'input' | 'output'): ObjectSchema {
  const { schema: root, components } = createSchema(schema, {
    io,
    schemaRefPath: '#/$defs/',
    openapiVersion: '3.1.1',
    opts: { override: plainer },
  });
  const { $ref } = root as { readonly $ref?: string };
  const own = $ref === undefined ? root : components[$ref.slice('#/$defs/'.length)];
  return { ...own, type: 'object', ...(isEmpty(components) ? {} : { $defs: components }) };
}

const isEmpty = (value: object): boolean => Object.keys(value).length === 0;
