// The run's user takes back what waits for people, and waits for what comes next.

import { v7 } from 'uuid';
import { AppError } from '../../contract/errors.ts';
import { WithdrawBodySchema } from '../../contract/start.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';
import { withdrawCalls } from '../../store/runs/withdraw.ts';
import type { AppDeps } from '../deps.ts';
import { BODY_MAX_BYTES } from '../http/body.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { actOnRun } from './act-on-run.ts';
import { atRunAddresses, type RouteName } from './find-run.ts';
import { ACCEPTED, SETTLED } from './run-answer.ts';

export const withdrawRoutes = (deps: AppDeps): readonly Route[] =>
  atRunAddresses(
    { path: '/withdraw', id: 'withdrawCalls', summary: 'Take back what a run waits for' },
    (named) => withdrawRoute(deps, named),
  );

const withdrawRoute = (deps: AppDeps, named: RouteName): Route =>
  defineRoute({
    ...named,
    method: 'POST',
    scope: 'runs:write',
    tag: 'runs',
    description:
      'The calls that wait for approval are not run, and nobody is asked about them any more; the model reads that they were taken back, then the message, and the same run goes on. Calls of unknown outcome stay. For the run’s user only. Waits for what comes next.',
    headers: ['IdempotencyKey', 'Prefer'],
    body: { schema: WithdrawBodySchema, maxBytes: BODY_MAX_BYTES },
    answers: { 200: SETTLED, 202: ACCEPTED },
    refusals: ['NOT_FOUND', 'FORBIDDEN', 'NOT_PAUSED', 'IDEMPOTENCY_KEY_REUSED'],
    handle: (request) =>
      actOnRun(deps, request, ({ runId, userId }, keyOf) => {
        const { caller, body } = request;
        if (userId !== caller.subject)
          throw new AppError('FORBIDDEN', 'Only its user may take back what this run waits for.');
        const key = keyOf({ route: 'withdraw', bodyHash: sha256Hex(canonicalJson(body)) });
        const withdrawal = { withdrawalId: v7(), by: caller.subject, message: body.message };
        return deps.store.asOrg(caller.orgId, (tx) => withdrawCalls(tx, runId, withdrawal, key));
      }),
  });
