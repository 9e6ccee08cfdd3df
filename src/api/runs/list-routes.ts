// Lists over all agents of the runs that the caller may see, and their counts.

import { z } from 'zod';
import { RunCountsSchema, RunPageSchema } from '../../contract/lists.ts';
import { RUN_ID } from '../../contract/names.ts';
import { countRuns, listRuns } from '../../store/queries/run-lists.ts';
import type { AppDeps } from '../deps.ts';
import { defineCursor, pageAnswer, pageNote, pageQuery, wanted } from '../http/page.ts';
import { presentRun } from './present.ts';
import {
  AGENT_ID,
  FROM,
  REQUEST_ID,
  SESSION_ID,
  STATUS,
  TO,
  USER_ID,
} from '../http/query-fields.ts';
import { defineRoute, type Route } from '../http/route.ts';

export const RUNS_CURSOR = defineCursor('runs', [z.string().regex(RUN_ID)]);
const RunsQuery = z.strictObject({
  sessionId: SESSION_ID,
  agentId: AGENT_ID,
  status: STATUS,
  userId: USER_ID,
  requestId: REQUEST_ID,
  from: FROM,
  to: TO,
  ...pageQuery(RUNS_CURSOR),
});
const CountsQuery = z.strictObject({ agentId: AGENT_ID, userId: USER_ID });

export const runListRoutes = ({ store }: Pick<AppDeps, 'store'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: '/api/runs',
    scope: 'runs:read',
    id: 'listRuns',
    tag: 'runs',
    summary: 'List the runs that one may see, newest first',
    description: 'Filters combine. A caller that was cut off finds its run by `requestId`.',
    query: RunsQuery,
    answers: { 200: pageNote(RunPageSchema) },
    handle: async ({ caller, query }) => {
      const runs = await store.asOrg(caller.orgId, (tx) =>
        listRuns(tx, caller, query, wanted(query)),
      );
      return pageAnswer('/api/runs', query, RUNS_CURSOR, runs, (run) => presentRun(run, caller));
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/runs/counts',
    scope: 'runs:read',
    id: 'countRuns',
    tag: 'runs',
    summary: 'How many runs that one may see are in each state',
    query: CountsQuery,
    answers: { 200: { description: 'The counts.', schema: RunCountsSchema } },
    handle: async ({ caller, query }) => ({
      status: 200,
      body: await store.asOrg(caller.orgId, (tx) => countRuns(tx, caller, query)),
    }),
  }),
];
