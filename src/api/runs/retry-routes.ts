// Taking a failed run up again, and waiting for what comes of it.

import { randomUUID } from 'node:crypto';
import { AppError } from '../../contract/errors.ts';
import { sha256Hex } from '../../json/canonical.ts';
import { retryRun } from '../../store/runs/retry.ts';
import type { AppDeps } from '../deps.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { actOnRun } from './act-on-run.ts';
import { atRunAddresses, type RouteName } from './find-run.ts';
import { ACCEPTED, SETTLED } from './run-answer.ts';

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
    refusals: [
      ...(['NOT_FOUND', 'FORBIDDEN', 'NOT_FAILED', 'SESSION_WENT_ON'] as const),
      ...(['IDEMPOTENCY_KEY_REUSED', 'TOO_MANY_RUNS', 'TOO_MANY_PAUSED_RUNS'] as const),
    ],
    handle: (request) =>
      actOnRun(deps, request, ({ runId, userId, startedBy }, keyOf) => {
        const { orgId, subject, scopes } = request.caller;
        if (![userId, startedBy].includes(subject) && !scopes.has('admin'))
          throw new AppError(
            'FORBIDDEN',
            'Only who started this run, its user, or an admin may take it up again.',
          );
        const key = keyOf({ route: 'retry', bodyHash: sha256Hex('') });
        const limits = deps.runLimits;
        const retry = { runId, by: subject, retryId: randomUUID(), key, limits };
        return deps.store.asOrg(orgId, (tx) => retryRun(tx, retry));
      }),
  });
