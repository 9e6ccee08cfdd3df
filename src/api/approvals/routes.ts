// Voting on what a run waits for, and waiting for what comes next. Whether a vote counts is
// store/judge-vote.ts's.

import { ContinueBodySchema, type ContinueBody } from '../../contract/run.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';
import { continueRun } from '../../store/runs/continue-run.ts';
import type { VoteRequest } from '../../store/calls/vote-policy.ts';
import type { AppDeps } from '../app.ts';
import { BODY_MAX_BYTES } from '../http/body.ts';
import { readIdempotencyKey } from '../http/idempotency-key.ts';
import { readPreference } from '../http/prefer.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { runAnswer } from '../runs/run-answer.ts';
import { createDeadline, waitForRun } from '../runs/wait.ts';
import { RUN_PATHS, runToActOn } from '../runs/routes.ts';

export const decisionRoutes = (deps: AppDeps): readonly Route[] => [
  ...RUN_PATHS.map((path) =>
    defineRoute({
      method: 'POST',
      path: `${path}/continue`,
      scope: 'runs:approve',
      body: { schema: ContinueBodySchema, maxBytes: BODY_MAX_BYTES },
      handle: async (request) => {
        const { caller, body } = request;
        const { orgId, subject, roles, service } = caller;
        const preference = readPreference(request.header('Prefer'), deps.syncWaitMaxMs);
        const text = readIdempotencyKey(request.headerValues('Idempotency-Key'));
        const deadline = createDeadline(preference.waitMs, [deps.draining, request.gone]);
        try {
          const { agentId, runId } = await runToActOn(deps, request);
          const key =
            text === undefined
              ? undefined
              : ({
                  orgId,
                  caller: subject,
                  route: 'continue',
                  agentId,
                  target: runId,
                  key: text,
                  bodyHash: sha256Hex(canonicalJson(body)),
                } as const);
          const voter = { kind: 'person', subject, roles, service } as const;
          const vote = voteRequest(body);
          const continued = await deps.store.asOrg(orgId, (tx) =>
            continueRun(tx, { runId, voter, vote, key, checkEdit: deps.checkEdit }),
          );
          // Also after a refusal: an expiry found on the way may have sent the run on.
          void deps.send(runId).then((taken) => taken || deadline.end(), deadline.end);
          if (continued.kind === 'REFUSED') throw continued.error;
          const run = await waitForRun(deps.store, {
            orgId,
            runId,
            deadline: deadline.signal,
            stopBehindPause: true,
          });
          return runAnswer(run, {
            viewer: caller,
            preference,
            replayed: continued.kind === 'REPLAYED',
          });
        } finally {
          deadline.close();
        }
      },
    }),
  ),
];

/** A body in the words of who judges it. */
export function voteRequest(body: ContinueBody): VoteRequest {
  const { pauseId } = body;
  if ('decisions' in body) return { pauseId, votes: { each: body.decisions } };
  const { callId, action, reason, argumentsHash, arguments: edited } = body;
  if (callId === undefined) return { pauseId, votes: { all: { action, reason } } };
  return {
    pauseId,
    votes: { each: [{ callId, action, reason, argumentsHash, arguments: edited }] },
  };
}
