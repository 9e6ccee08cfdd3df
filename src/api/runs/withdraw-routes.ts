// The run's user takes back what waits for people, and waits for what comes next.

import { v7 } from 'uuid';
import { AppError } from '../../contract/errors.ts';
import { WithdrawBodySchema, type WithdrawBody } from '../../contract/start.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';
import type { KeyUse } from '../../store/runs/keys.ts';
import { withdrawCalls } from '../../store/runs/withdraw.ts';
import type { AppDeps } from '../deps.ts';
import { BODY_MAX_BYTES } from '../http/body.ts';
import { readIdempotencyKey } from '../http/idempotency-key.ts';
import { readPreference } from '../http/prefer.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { atRunAddresses, runToActOn, type RouteName } from './find-run.ts';
import { ACCEPTED, runAnswer, SETTLED } from './run-answer.ts';
import { createDeadline, waitForRun } from './wait.ts';

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
    handle: async (request) => {
      const { caller, body } = request;
      const { orgId, subject } = caller;
      const preference = readPreference(request.header('Prefer'), deps.syncWaitMaxMs);
      const text = readIdempotencyKey(request.headerValues('Idempotency-Key'));
      const deadline = createDeadline(preference.waitMs, [deps.draining, request.gone]);
      try {
        const { agentId, runId, userId } = await runToActOn(deps, request);
        if (userId !== subject)
          throw new AppError('FORBIDDEN', 'Only its user may take back what this run waits for.');
        const use = { orgId, caller: subject, agentId, target: runId };
        const key = text === undefined ? undefined : keyUse(use, text, body);
        const withdrawal = { withdrawalId: v7(), by: subject, message: body.message };
        const withdrawn = await deps.store.asOrg(orgId, (tx) =>
          withdrawCalls(tx, runId, withdrawal, key),
        );
        // Also after a refusal: an expiry found on the way may have sent the run on.
        void deps.send(runId).then((taken) => taken || deadline.end(), deadline.end);
        if (withdrawn.kind === 'REFUSED') throw withdrawn.error;
        const run = await waitForRun(deps.store, {
          ...{ orgId, runId },
          deadline: deadline.signal,
          stopWhenHeldUp: true,
        });
        const replayed = withdrawn.kind === 'REPLAYED';
        return runAnswer(run, { viewer: caller, preference, replayed });
      } finally {
        deadline.close();
      }
    },
  });

const keyUse = (
  use: Omit<KeyUse, 'route' | 'key' | 'bodyHash'>,
  key: string,
  body: WithdrawBody,
): KeyUse => ({ ...use, route: 'withdraw', key, bodyHash: sha256Hex(canonicalJson(body)) });
