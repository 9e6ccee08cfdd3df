// `effectKey` and `reconcile` of a tool: the name under which it is done once, and whom to ask what
// became of a call; what must hold of both.

import { z } from 'zod';
import { ReconcileSchema, type ToolSnapshot } from '../contract/agent.ts';
import { isKeyTemplate, placesOfKey } from '../policy/effect-key.ts';
import { propertiesOf, type JsonSchema } from '../policy/argument-types.ts';
import type { FileProblem, Path } from './file-problem.ts';
import { addressProblems, headerProblems, type Secrets } from './http-entry.ts';

export const EFFECT_IN_FILE = {
  effectKey: z.string().min(1).max(500).optional().meta({
    description:
      'Name of the effect, such as `refund:{paymentId}`: one of it in the org, whichever run or agent asks.',
  }),
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
  readonly effectKey?: string | undefined;
  readonly reconcile?: ToolSnapshot['reconcile'];
}

export const effectOf = ({
  effectKey,
  reconcile,
}: EffectEntry): Pick<ToolSnapshot, 'effectKey' | 'reconcile'> => ({
  ...(effectKey === undefined ? {} : { effectKey }),
  ...(reconcile === undefined ? {} : { reconcile }),
});

export const effectProblems = (
  entry: EffectEntry,
  input: JsonSchema,
  path: Path,
  secrets: Secrets,
): readonly FileProblem[] => [
  ...keyProblems(entry.effectKey, input).map((message) => ({
    path: [...path, 'effectKey'],
    message,
  })),
  ...reconcileProblems(entry, input, path, secrets),
];

/** An argument that may be left out, or is a list, names nothing. */
function keyProblems(template: string | undefined, input: JsonSchema): readonly string[] {
  if (template === undefined) return [];
  if (!isKeyTemplate(template)) return ['must have {argument} places, and no other brace'];
  const properties = propertiesOf(input);
  const required = Array.isArray(input['required']) ? input['required'] : [];
  return placesOfKey(template).flatMap((name) => {
    if (!Object.hasOwn(properties, name))
      return [`has the place {${name}}, but the input has no such property`];
    if (!required.includes(name)) return [`has the place {${name}}, which may be left out`];
    const type = properties[name]?.['type'];
    return type === 'string' || type === 'integer' || type === 'number'
      ? []
      : [`has the place {${name}}, which is no text or number`];
  });
}

function reconcileProblems(
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
