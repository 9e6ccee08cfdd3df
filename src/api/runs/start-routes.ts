// Two ways of starting a run: waiting for its answer, and not. The third, a stream, is in
// stream-routes.ts.

import { StartedSchema } from '../../contract/run.ts';
import { readRun } from '../../store/queries/run-record.ts';
import type { AppDeps } from '../deps.ts';
import { readPreference } from '../http/prefer.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { ACCEPTED, pathOfRun, runAnswer, SETTLED } from './run-answer.ts';
import { commit, committedOr, newRun, sendStart, START_BODY, START_REFUSALS } from './start-run.ts';
import { createDeadline, waitForRun } from './wait.ts';

const RUNS = '/api/agents/:agentId/runs';

export const startRoutes = (deps: AppDeps): readonly Route[] => [
  startAndWait(deps),
  startInBackground(deps),
];

const startAndWait = (deps: AppDeps): Route =>
  defineRoute({
    method: 'POST',
    path: RUNS,
    scope: 'runs:write',
    id: 'startRun',
    tag: 'runs',
    summary: 'Run an agent and wait for the answer',
    description:
      'The run is committed before anything is answered. A client that goes away neither cancels nor loses it.',
    headers: ['IdempotencyKey', 'Prefer'],
    body: START_BODY,
    answers: { 200: SETTLED, 202: ACCEPTED },
    refusals: START_REFUSALS,
    handle: async (request) => {
      const preference = readPreference(request.header('Prefer'), deps.syncWaitMaxMs);
      const deadline = createDeadline(preference.waitMs, [deps.draining, request.gone]);
      try {
        const run = newRun(deps, request, 'run');
        const started = await commit(deps, run);
        request.onRun?.(started.runId);
        void sendStart(deps, started).then((taken) => taken || deadline.end(), deadline.end);
        const awaited = {
          orgId: run.orgId,
          runId: started.runId,
          deadline: deadline.signal,
          stopWhenHeldUp: true,
          justStarted: started.kind === 'STARTED' && started.released,
        };
        const standing = await waitForRun(deps.store, awaited).catch((error: unknown) =>
          committedOr(error, run, started),
        );
        const replayed = started.kind === 'REPLAYED';
        return runAnswer(standing, { viewer: request.caller, preference, replayed });
      } finally {
        deadline.close();
      }
    },
  });

const startInBackground = (deps: AppDeps): Route =>
  defineRoute({
    method: 'POST',
    path: `${RUNS}/background`,
    scope: 'runs:write',
    id: 'startRunInBackground',
    tag: 'runs',
    summary: 'Start a run and return',
    headers: ['IdempotencyKey'],
    body: START_BODY,
    answers: {
      200: {
        description: 'Started.',
        schema: StartedSchema,
        headers: ['Location', 'IdempotencyReplayed'],
      },
    },
    refusals: START_REFUSALS,
    handle: async (request) => {
      const run = newRun(deps, request, 'background');
      const started = await commit(deps, run);
      void sendStart(deps, started).catch(() => false);
      const replayed = started.kind === 'REPLAYED';
      const standing =
        started.kind !== 'STARTED'
          ? await deps.store.asOrg(run.orgId, (tx) => readRun(tx, run.orgId, started.runId))
          : undefined;
      return {
        status: 200,
        headers: {
          Location: pathOfRun(run.agent.id, started.runId),
          ...(replayed ? { 'Idempotency-Replayed': 'true' } : {}),
        },
        body: {
          runId: started.runId,
          sessionId: standing?.sessionId ?? run.sessionId,
          status: standing?.status ?? 'QUEUED',
        },
      };
    },
  });
