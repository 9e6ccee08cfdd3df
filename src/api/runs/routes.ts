// Reading a run and cancelling it.

import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { RunResponseSchema } from '../../contract/run.ts';
import { cancelRun } from '../../store/runs/continue-run.ts';
import type { AppDeps } from '../deps.ts';
import { waitUpTo } from '../http/query-fields.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { atRunAddresses, runNamed, runToActOn, visibleRun, type RouteName } from './find-run.ts';
import { presentRun } from './present.ts';
import { createDeadline, isSettled, waitForRun } from './wait.ts';

export const runRoutes = (deps: AppDeps): readonly Route[] => [
  ...atRunAddresses(
    { path: '', id: 'readRun', summary: 'Read a run, or wait for it with `?wait=`' },
    (named) => readRun(deps, named),
  ),
  readRun(deps, {
    path: '/api/agents/:agentId/runs/:runId/status',
    id: 'readRunStatus',
    summary: 'The same as reading the run',
  }),
  ...atRunAddresses({ path: '', id: 'cancelRun', summary: 'Cancel a run' }, (named) =>
    cancelRunRoute(deps, named),
  ),
];

const readRun = (deps: AppDeps, named: RouteName): Route =>
  defineRoute({
    ...named,
    method: 'GET',
    scope: 'runs:read',
    tag: 'runs',
    query: z.strictObject({ wait: waitUpTo(deps.syncWaitMaxMs) }),
    answers: { 200: { description: 'The run as it stands.', schema: RunResponseSchema } },
    refusals: ['NOT_FOUND'],
    handle: async (request) => {
      const name = runNamed(request);
      const { caller } = request;
      const run = await visibleRun(deps, caller, name);
      if (request.query.wait === undefined || isSettled(run.status))
        return { status: 200, body: presentRun(run, caller) };
      const deadline = createDeadline(request.query.wait * 1000, [deps.draining, request.gone]);
      try {
        const awaited = {
          orgId: caller.orgId,
          runId: run.runId,
          deadline: deadline.signal,
          stopWhenHeldUp: false,
        };
        return { status: 200, body: presentRun(await waitForRun(deps.store, awaited), caller) };
      } finally {
        deadline.close();
      }
    },
  });

const cancelRunRoute = (deps: AppDeps, named: RouteName): Route =>
  defineRoute({
    ...named,
    method: 'DELETE',
    scope: 'runs:cancel',
    tag: 'runs',
    description: 'Final once answered: no call that was not yet dispatched starts.',
    answers: { 204: { description: 'It is cancelled, or had ended before.' } },
    refusals: ['NOT_FOUND', 'FORBIDDEN'],
    handle: async (request) => {
      const { caller } = request;
      const run = await runToActOn(deps, request);
      if (![run.userId, run.startedBy].includes(caller.subject) && !caller.scopes.has('admin'))
        throw new AppError(
          'FORBIDDEN',
          'Only who started this run, its user, or an admin may cancel it.',
        );
      await deps.store.asOrg(caller.orgId, (tx) => cancelRun(tx, run.runId, caller.subject));
      // The commit is the answer; the line goes out beside it, and again by any process if it
      // fails.
      void deps.send(run.runId).catch(() => false);
      return { status: 204 };
    },
  });
