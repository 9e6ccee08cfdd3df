// The parameters in the routes' paths, each described once.

import { z } from 'zod';

const PATH_PARAMETERS = {
  agentId: z.string().meta({ description: 'The agent’s id.' }),
  runId: z.string().meta({ description: 'The run’s id. One of another agent is an unknown one.' }),
  callId: z.string().meta({ description: 'The call’s id, from `pending` or `tools`.' }),
  sessionId: z.string().meta({ description: 'The session’s id.' }),
  baseId: z.string().meta({ description: 'The base’s id.' }),
  documentId: z.string().meta({ description: 'The document’s id.' }),
  memoryId: z.string().meta({ description: 'The memory’s id.' }),
  userId: z.string().meta({ description: 'The user’s id, the `sub` of their tokens.' }),
  grantId: z.string().meta({ description: 'The grant’s id.' }),
  webhookId: z.string().meta({ description: 'The webhook’s id.' }),
  deliveryId: z
    .string()
    .meta({ description: 'The delivery’s id, the `webhook-id` of its attempts.' }),
} as const;

const isKnown = (name: string): name is keyof typeof PATH_PARAMETERS => name in PATH_PARAMETERS;

/** Throws where one is not described: a document that is silent about it is wrong. */
export function pathParameters(path: string): z.ZodObject {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  return z.object(
    Object.fromEntries(
      names.map((name) => {
        if (!isKnown(name)) throw new Error(`path-parameters.ts does not describe :${name}`);
        return [name, PATH_PARAMETERS[name]];
      }),
    ),
  );
}
