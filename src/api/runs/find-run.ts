// Finds a run for those who may see it, from the ids in a request's path. What a caller may not see
// is answered as what is not there.

import { AppError } from '../../contract/errors.ts';
import { RUN_ID } from '../../contract/names.ts';
import type { RunRecord } from '../../store/queries/run-record.ts';
import {
  findVisibleRun,
  readVisibleRun,
  type FoundRun,
  type RunName,
  type Viewer,
} from '../../store/queries/visibility.ts';
import type { AppDeps } from '../deps.ts';
import type { Route, RouteRequest } from '../http/route.ts';

/** One sentence for every reason: it must not distinguish an unknown run from a hidden one. */
export const noSuchRun = (): AppError => new AppError('NOT_FOUND', 'There is no such run.');

export type RouteName = Pick<Route, 'path' | 'id' | 'summary'>;

/** The same route at both addresses of a run: with its agent's id, and without. */
export const atRunAddresses = (
  { path, id, summary }: RouteName,
  define: (named: RouteName) => Route,
): readonly Route[] => [
  define({ path: `/api/agents/:agentId/runs/:runId${path}`, id, summary }),
  define({
    path: `/api/runs/:runId${path}`,
    id: `${id}ById`,
    summary: `${summary} (without the agent’s id)`,
  }),
];

/** The run that a path names; an id that can be none never reaches the database. */
export function runNamed({ param }: Pick<RouteRequest<unknown, unknown>, 'param'>): RunName {
  const runId = param('runId');
  if (!RUN_ID.test(runId)) throw noSuchRun();
  const agentId = param('agentId');
  return { runId, agentId: agentId === '' ? undefined : agentId };
}

/** AppError NOT_FOUND where there is none, or none that the caller may see. */
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

/** The whole record; AppError NOT_FOUND as above. */
export async function visibleRun(
  { store }: Pick<AppDeps, 'store'>,
  viewer: Viewer,
  name: RunName,
): Promise<RunRecord> {
  const run = await store.asOrg(viewer.orgId, (tx) => readVisibleRun(tx, viewer, name));
  if (run === undefined) throw noSuchRun();
  return run;
}
