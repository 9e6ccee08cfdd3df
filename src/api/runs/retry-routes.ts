// Taking a failed run up again, and waiting for what comes of it.

import { randomUUID } from 'node:crypto';
import { AppError } from '../../contract/errors.ts';
import { sha256Hex } from '../../json/canonical.ts';
import { retryRun } from '../../store/runs/retry.ts';
import type { AppDeps } from '../deps.ts';
import { readIdempotencyKey } from '../http/idempotency-key.ts';
import { readPreference } from '../http/prefer.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { atRunAddresses, runToActOn, type RouteName } from './find-run.ts';
import { ACCEPTED, runAnswer, SETTLED } from './run-answer.ts';
import { createDeadline, waitForRun } from './wait.ts';

export const retryRoutes = (deps: AppDeps): readonly Route[] =>
  atRunAddresses(
    { path: '/retry', id: 'retryRun', summary: 'Take a failed run up from its last turn' },
    (named) => retryRoute(deps, named),
  );

const retryRoute = (deps: AppDeps, named: RouteName): Route =>
  defineRoute({
    ...named,
    method: 'POST',
    scope: 'runs:write',
    tag: 'runs',
    description:
      'The same run goes on: what was done stays done, what may have happened is asked about, approvals that were open are asked again. After `BUDGET_EXCEEDED` it has one more full budget. Waits for what comes next.',
    headers: ['IdempotencyKey', 'Prefer'],
    answers: { 200: SETTLED, 202: ACCEPTED },
    refusals: ['NOT_FOUND', 'FORBIDDEN', 'NOT_FAILED', 'SESSION_WENT_ON', 'IDEMPOTENCY_KEY_REUSED'],
    handle: async (request) => {
      const { caller } = request;
      const { orgId, subject } = caller;
      const preference = readPreference(request.header('Prefer'), deps.syncWaitMaxMs);
      const text = readIdempotencyKey(request.headerValues('Idempotency-Key'));
      const deadline = createDeadline(preference.waitMs, [deps.draining, request.gone]);
      try {
        const { agentId, runId, userId, startedBy } = await runToActOn(deps, request);
        if (![userId, startedBy].includes(subject) && !caller.scopes.has('admin'))
          throw new AppError(
            'FORBIDDEN',
            'Only who started this run, its user, or an admin may take it up again.',
          );
        const key =
          text === undefined
            ? undefined
            : ({
                orgId,
                caller: subject,
                route: 'retry',
                agentId,
                target: runId,
                key: text,
                bodyHash: sha256Hex(''),
              } as const);
        const retryId = randomUUID();
        const retried = await deps.store.asOrg(orgId, (tx) =>
          retryRun(tx, { runId, by: subject, retryId, key }),
        );
        void deps.send(runId).then((taken) => taken || deadline.end(), deadline.end);
        const run = await waitForRun(deps.store, {
          ...{ orgId, runId },
          deadline: deadline.signal,
          stopWhenHeldUp: true,
        });
        const replayed = retried.kind === 'REPLAYED';
        return runAnswer(run, { viewer: caller, preference, replayed });
      } finally {
        deadline.close();
      }
    },
  });
