// `reconcile` of a tool: whom to ask what became of a call, and what must hold of that address.

import { z } from 'zod';
import { ReconcileSchema, type ToolSnapshot } from '../contract/agent.ts';
import { propertiesOf, type JsonSchema } from '../policy/argument-types.ts';
import type { FileProblem, Path } from './file-problem.ts';
import { addressProblems, headerProblems, type Secrets } from './http-entry.ts';

export const EFFECT_IN_FILE = {
  reconcile: ReconcileSchema.extend({
    method: z.literal('GET').default('GET').meta({ description: 'It must change nothing.' }),
    url: z.string().meta({
      description: 'With the place `{idempotencyKey}`, and `{argument}` and `${SECRET}` places.',
    }),
    headers: ReconcileSchema.shape.headers.prefault({}).meta({ description: 'Sent with it.' }),
  })
    .optional()
    .meta({
      description:
        'Asks the receiver what became of a call without an answer, before people are asked: it answers `{"outcome": "done" | "not_done" | "unknown", "result"?}`.',
    }),
};
interface EffectEntry {
  readonly reconcile?: ToolSnapshot['reconcile'];
}

export const effectOf = ({ reconcile }: EffectEntry): Pick<ToolSnapshot, 'reconcile'> =>
  reconcile === undefined ? {} : { reconcile };

export function effectProblems(
  { reconcile }: EffectEntry,
  input: JsonSchema,
  path: Path,
  secrets: Secrets,
): readonly FileProblem[] {
  if (reconcile === undefined) return [];
  const at = [...path, 'reconcile'];
  const properties = { ...propertiesOf(input), idempotencyKey: { type: 'string' } };
  const problems = addressProblems(reconcile, { ...input, properties }, secrets);
  const keyed = reconcile.url.includes('{idempotencyKey}')
    ? []
    : ['must have the place {idempotencyKey}: without it no call is meant'];
  return [
    ...[...problems, ...keyed].map((message) => ({ path: [...at, 'url'], message })),
    ...headerProblems(reconcile.headers, secrets, [...at, 'headers']),
  ];
}
