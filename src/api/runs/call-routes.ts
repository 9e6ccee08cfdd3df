// What an approver's form is made of: the schema of a call's arguments.

import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { findVisibleRun } from '../../store/queries/visibility.ts';
import { readCallSchema } from '../../store/queries/call-schema.ts';
import type { AppDeps } from '../deps.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { atRunAddresses, noSuchRun, runNamed } from './find-run.ts';

const CallSchemaSchema = z
  .strictObject({
    inputSchema: z
      .record(z.string(), z.unknown())
      .meta({ description: 'JSON Schema of the arguments, as in the run’s snapshot.' }),
  })
  .meta({ id: 'CallSchema' });

export const callRoutes = ({ store }: AppDeps): readonly Route[] =>
  atRunAddresses(
    {
      path: '/calls/:callId/schema',
      id: 'readCallSchema',
      summary: 'The schema that edited arguments of a call have to fit',
    },
    (named) =>
      defineRoute({
        ...named,
        method: 'GET',
        scope: 'runs:read',
        tag: 'decisions',
        answers: { 200: { description: 'The schema.', schema: CallSchemaSchema } },
        refusals: ['NOT_FOUND'],
        handle: async (request) => {
          const name = runNamed(request);
          const { caller } = request;
          const found = await store.asOrg(caller.orgId, async (tx) => {
            if ((await findVisibleRun(tx, caller, name)) === undefined) throw noSuchRun();
            return readCallSchema(tx, name.runId, request.param('callId'));
          });
          if (found === undefined) throw new AppError('NOT_FOUND', 'The run has no such call.');
          return { status: 200, body: { inputSchema: found } };
        },
      }),
  );
