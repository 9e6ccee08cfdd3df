// What a server says of a tool: the parts that are pinned, their hash, and what a tool is left out
// for. Pure.

import type { McpDefinition } from '../contract/agent.ts';
import { canonicalJson, sha256Hex } from '../json/canonical.ts';
import { storable } from '../json/storable.ts';
import { visible } from '../json/visible.ts';
import { isRecord } from '../policy/argument-types.ts';
import { compileSchema } from '../tools/input-schema.ts';

/** Ten times what the longest of usual servers take; people are to read it, and models are sent it. */
export const DEFINITION_MAX_BYTES = 65_536;
/** As deep as the file of an agent may be. */
const MAX_DEPTH = 64;

type Read =
  | { readonly ok: true; readonly definition: McpDefinition }
  | { readonly ok: false; readonly problem: string };

const bad = (problem: string): Read => ({ ok: false, problem });

/** What cannot be kept, shown or hashed is no definition. */
export function readDefinition(raw: unknown): Read {
  if (!isRecord(raw)) return bad('is no mapping');
  const { name, title, description = '', inputSchema, outputSchema, annotations } = raw;
  if (typeof name !== 'string' || name === '') return bad('has no name');
  if (typeof description !== 'string') return bad('has a description that is no text');
  if (title !== undefined && typeof title !== 'string') return bad('has a title that is no text');
  if (!isRecord(inputSchema)) return bad('has no input schema');
  if (outputSchema !== undefined && !isRecord(outputSchema))
    return bad('has an output schema that is none');
  if (annotations !== undefined && !isRecord(annotations))
    return bad('has annotations that are none');
  const definition: McpDefinition = {
    name,
    ...(title === undefined ? {} : { title }),
    description,
    inputSchema,
    ...(outputSchema === undefined ? {} : { outputSchema }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  if (isDeeper(definition, MAX_DEPTH)) return bad('is nested too deeply');
  const text = canonicalOrNone(definition);
  if (text === undefined) return bad('has a number that cannot be kept');
  if (Buffer.byteLength(text) > DEFINITION_MAX_BYTES)
    return bad(`has a definition of more than ${DEFINITION_MAX_BYTES} bytes`);
  return someText(definition, (part) => storable(part).changed)
    ? bad('has characters that cannot be kept')
    : { ok: true, definition };
}

function canonicalOrNone(value: unknown): string | undefined {
  try {
    return canonicalJson(value);
  } catch {
    return undefined;
  }
}

/** The version of a tool: 64 hexadecimal digits. null: the server has no such tool. */
export const definitionHash = (definition: McpDefinition | null): string =>
  sha256Hex(canonicalJson(definition));

/** Why it is not offered to a model though it can be kept. */
export function offerProblem(definition: McpDefinition): string | undefined {
  const { inputSchema } = definition;
  if (someText(definition, hasHidden)) return 'has hidden characters in its definition';
  if (inputSchema['type'] !== 'object') return 'has an input schema without "type: object"';
  const compiled = compileSchema(inputSchema);
  return compiled.ok ? undefined : `has an input schema that cannot be used: ${compiled.problem}`;
}

// Lines and the selector behind a pictograph are usual in descriptions, and hide nothing.
const USUAL = /[\n\r\t\u00a0]|(?<=\p{Extended_Pictographic})\ufe0f/gu;
const hasHidden = (text: string): boolean => {
  const rest = text.replace(USUAL, '');
  return visible(rest) !== rest;
};

/** Keys too. */
function someText(value: unknown, is: (text: string) => boolean): boolean {
  if (typeof value === 'string') return is(value);
  if (Array.isArray(value)) return value.some((item) => someText(item, is));
  return (
    isRecord(value) && Object.entries(value).some(([key, item]) => is(key) || someText(item, is))
  );
}

function isDeeper(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return left === 0 || Object.values(value).some((item) => isDeeper(item, left - 1));
}
