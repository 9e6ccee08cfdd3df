// Holds every answer that a test of the API gets against the OpenAPI document: its status, its
// type, its body, and no field beside those that the document names.

import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { OpenApiDocument, Operation } from '../../src/api/documentation/openapi-document.ts';
import type { Reply } from './api-rig.ts';

export interface DocumentCheck {
  /** Throws where the answer is not as documented. */
  readonly holds: (method: string, path: string, reply: Reply) => void;
  readonly validator: (pointer: string) => ValidateFunction;
}

export function createDocumentCheck(document: OpenApiDocument): DocumentCheck {
  const ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema(exact(document) as object, 'doc');
  const validators = new Map<string, ValidateFunction>();
  const validator = (pointer: string): ValidateFunction => {
    const known = validators.get(pointer);
    if (known !== undefined) return known;
    const made = ajv.compile({ $ref: `doc#${pointer}` });
    validators.set(pointer, made);
    return made;
  };
  const templates = Object.keys(document.paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));
  const find = (
    method: string,
    path: string,
  ): { path: string; operation: Operation } | undefined => {
    const matching = templates
      .filter(({ pattern }) => pattern.test(path))
      .toSorted((a, b) => holes(a.path) - holes(b.path));
    for (const { path: template } of matching) {
      const operation = document.paths[template]?.[method.toLowerCase()];
      if (operation !== undefined) return { path: template, operation };
    }
    return undefined;
  };
  const fits = (pointer: string, reply: Reply, what: string): void => {
    const validate = validator(pointer);
    assert.ok(
      validate(reply.json),
      `${what} is not as documented: ${JSON.stringify(validate.errors?.slice(0, 3))}\n${reply.text.slice(0, 500)}`,
    );
  };
  return {
    validator,
    holds: (method, url, reply) => {
      const path = url.split('?')[0] ?? '';
      const found = find(method, path);
      const what = `${method} ${found?.path ?? path} ${reply.status}`;
      const type = (reply.headers['content-type'] ?? '').split(';')[0] ?? '';
      if (method === 'HEAD' || method === 'OPTIONS') return;
      if (found === undefined) {
        assert.ok(reply.status >= 400, `${what} is answered and not documented`);
        return fits('/components/schemas/Problem', reply, what);
      }
      const answer = found.operation.responses[String(reply.status)];
      assert.ok(answer !== undefined, `${what} is not documented: ${reply.text.slice(0, 300)}`);
      if (answer.content === undefined)
        return assert.equal(reply.text, '', `${what} has a body and none is documented`);
      assert.ok(type in answer.content, `${what}: ${type} is not documented`);
      if (!type.endsWith('json')) return;
      const steps = [
        'paths',
        found.path,
        method.toLowerCase(),
        'responses',
        String(reply.status),
        'content',
        type,
        'schema',
      ];
      fits(
        `/${steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`,
        reply,
        what,
      );
    },
  };
}

const holes = (path: string): number => path.split('{').length;

/** The document promises no fields for ever; a test wants none that it does not name. */
function exact(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(exact);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, exact(value)]));
  return copy['type'] === 'object' && 'properties' in copy && !('additionalProperties' in copy)
    ? { ...copy, additionalProperties: false }
    : copy;
}
