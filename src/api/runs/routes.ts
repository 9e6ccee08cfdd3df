// Reading a run and cancelling it. What a caller may not see is answered as what is not there.

import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { RUN_ID } from '../../contract/run.ts';
import { cancelRun } from '../../store/runs/continue-run.ts';
import type { FoundRun, RunName } from '../../store/queries/visibility.ts';
import { findVisibleRun, readVisibleRun } from '../../store/queries/visibility.ts';
import type { AppDeps } from '../app.ts';
import { presentRun } from './present.ts';
import { defineRoute, type Route, type RouteRequest } from '../http/route.ts';
import { createDeadline, isSettled, waitForRun } from './wait.ts';

/** One sentence for every reason: it must not tell an unknown run from a hidden one. */
export const noSuchRun = (): AppError => new AppError('NOT_FOUND', 'There is no such run.');

/** A run's address: with its agent's id, and without. */
export const RUN_PATHS = ['/api/agents/:agentId/runs/:runId', '/api/runs/:runId'] as const;

/** The run a path names; an id that can be none never reaches the database. */
export function runNamed({ param }: Pick<RouteRequest<unknown, unknown>, 'param'>): RunName {
  const runId = param('runId');
  if (!RUN_ID.test(runId)) throw noSuchRun();
  const agentId = param('agentId');
  return { runId, agentId: agentId === '' ? undefined : agentId };
}

/** Finds a run for who wants to act on it. */
export async function runToActOn(
  { store }: Pick<AppDeps, 'store'>,
  request: RouteRequest<unknown, unknown>,
): Promise<FoundRun & { readonly runId: string }> {
  const name = runNamed(request);
  const { caller } = request;
  const found = await store.asOrg(caller.orgId, (tx) => findVisibleRun(tx, caller, name));
  if (found === undefined) throw noSuchRun();
  return { ...found, runId: name.runId };
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
    ...[...RUN_PATHS, `${RUN_PATHS[0]}/status`].map((path) =>
      defineRoute({
        method: 'GET',
        path,
        scope: 'runs:read',
        query: ReadQuery,
        handle: async (request) => {
          const name = runNamed(request);
          const { caller } = request;
          const run = await deps.store.asOrg(caller.orgId, (tx) =>
            readVisibleRun(tx, caller, name),
          );
          if (run === undefined) throw noSuchRun();
          if (request.query.wait === undefined || isSettled(run.status))
            return { status: 200, body: presentRun(run, caller) };
          const deadline = createDeadline(request.query.wait * 1000, [deps.draining, request.gone]);
          try {
            const awaited = {
              orgId: caller.orgId,
              runId: run.runId,
              deadline: deadline.signal,
              stopBehindPause: false,
            };
            return { status: 200, body: presentRun(await waitForRun(deps.store, awaited), caller) };
          } finally {
            deadline.close();
          }
        },
      }),
    ),
    ...RUN_PATHS.map((path) =>
      defineRoute({
        method: 'DELETE',
        path,
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
    ),
  ];
}
