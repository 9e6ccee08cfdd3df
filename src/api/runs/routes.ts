// Reading a run and cancelling it. What a caller may not see is answered as what is not there.

import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { RUN_ID } from '../../contract/run.ts';
import { cancelRun } from '../../store/runs/continue-run.ts';
import type { FoundRun } from '../../store/queries/visibility.ts';
import { findVisibleRun, readVisibleRun } from '../../store/queries/visibility.ts';
import type { AppDeps } from '../app.ts';
import { presentRun } from './present.ts';
import { defineRoute, type Route, type RouteRequest } from '../http/route.ts';
import { createDeadline, isSettled, waitForRun } from './wait.ts';

/** One sentence for every reason: it must not tell an unknown run from a hidden one. */
export const noSuchRun = (): AppError => new AppError('NOT_FOUND', 'There is no such run.');

/** The run's id from the path; one that can be none never reaches the database. */
export function runIdOf({ param }: Pick<RouteRequest<unknown, unknown>, 'param'>): string {
  const runId = param('runId');
  if (!RUN_ID.test(runId)) throw noSuchRun();
  return runId;
}

/** Finds a run for who wants to act on it. */
export async function runToActOn(
  { store }: Pick<AppDeps, 'store'>,
  request: RouteRequest<unknown, unknown>,
): Promise<FoundRun & { readonly runId: string }> {
  const runId = runIdOf(request);
  const { caller } = request;
  const found = await store.asOrg(caller.orgId, (tx) =>
    findVisibleRun(tx, caller, request.param('agentId'), runId),
  );
  if (found === undefined) throw noSuchRun();
  return { ...found, runId };
}

export function runRoutes(deps: AppDeps): readonly Route[] {
  const maxS = Math.floor(deps.syncWaitMaxMs / 1000);
  const wording = `must be a whole number of seconds, 0 to ${maxS}`;
  const ReadQuery = z.strictObject({
    wait: z
      .string(wording)
      .regex(/^\d{1,6}$/, wording)
      .transform(Number)
      .refine((seconds) => seconds <= maxS, wording)
      .meta({ maximum: maxS })
      .optional(),
  });
  return [
    ...['/api/agents/:agentId/runs/:runId', '/api/agents/:agentId/runs/:runId/status'].map((path) =>
      defineRoute({
        method: 'GET',
        path,
        scope: 'runs:read',
        query: ReadQuery,
        handle: async (request) => {
          const runId = runIdOf(request);
          const { caller } = request;
          const run = await deps.store.asOrg(caller.orgId, (tx) =>
            readVisibleRun(tx, caller, request.param('agentId'), runId),
          );
          if (run === undefined) throw noSuchRun();
          if (request.query.wait === undefined || isSettled(run.status))
            return { status: 200, body: presentRun(run) };
          const deadline = createDeadline(request.query.wait * 1000, [deps.draining, request.gone]);
          try {
            const awaited = {
              orgId: caller.orgId,
              runId,
              deadline: deadline.signal,
              stopBehindPause: false,
            };
            return { status: 200, body: presentRun(await waitForRun(deps.store, awaited)) };
          } finally {
            deadline.close();
          }
        },
      }),
    ),
    defineRoute({
      method: 'DELETE',
      path: '/api/agents/:agentId/runs/:runId',
      scope: 'runs:cancel',
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
    }),
  ];
}
