// Voting on what a run waits for, and waiting for what comes next. Whether a vote counts is
// store/judge-vote.ts's.

import { randomUUID } from 'node:crypto';
import { ContinueBodySchema, type ContinueBody } from '../../contract/vote.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';
import { newGrantId } from '../../store/grants/grants.ts';
import { continueRun } from '../../store/runs/continue-run.ts';
import type { KeyUse } from '../../store/runs/keys.ts';
import type { VoteOn, VoteRequest } from '../../store/calls/vote-policy.ts';
import type { AppDeps } from '../deps.ts';
import { BODY_MAX_BYTES } from '../http/body.ts';
import { readIdempotencyKey } from '../http/idempotency-key.ts';
import { readPreference } from '../http/prefer.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { atRunAddresses, runToActOn, type RouteName } from '../runs/find-run.ts';
import { ACCEPTED, runAnswer, SETTLED } from '../runs/run-answer.ts';
import { createDeadline, waitForRun } from '../runs/wait.ts';

export const decisionRoutes = (deps: AppDeps): readonly Route[] =>
  atRunAddresses(
    { path: '/continue', id: 'continueRun', summary: 'Approve or reject what a run waits for' },
    (named) => decideRoute(deps, named),
  );

const decideRoute = (deps: AppDeps, named: RouteName): Route =>
  defineRoute({
    ...named,
    method: 'POST',
    scope: 'runs:approve',
    tag: 'decisions',
    description:
      'Waits for what comes next: the next settled state, or at once PAUSED while anything is still open. The same vote again is 200 and changes nothing. 428: name the call (`callId`, `argumentsHash`, `pauseId`), because its risk is high, its outcome unknown, or the run is paused again since.',
    headers: ['IdempotencyKey', 'Prefer'],
    body: { schema: ContinueBodySchema, maxBytes: BODY_MAX_BYTES },
    answers: { 200: SETTLED, 202: ACCEPTED },
    refusals: [
      'NOT_FOUND',
      'FORBIDDEN',
      'NOT_PAUSED',
      'ALREADY_DECIDED',
      'NOT_THIS_PAUSE',
      'HASH_MISMATCH',
      'IDEMPOTENCY_KEY_REUSED',
      'CALL_ID_REQUIRED',
    ],
    handle: async (request) => {
      const { caller, body } = request;
      const { orgId, subject, roles, service } = caller;
      const preference = readPreference(request.header('Prefer'), deps.syncWaitMaxMs);
      const text = readIdempotencyKey(request.headerValues('Idempotency-Key'));
      const requestId = randomUUID();
      const deadline = createDeadline(preference.waitMs, [deps.draining, request.gone]);
      try {
        const { agentId, runId } = await runToActOn(deps, request);
        request.onRun?.(runId);
        const use = { orgId, caller: subject, agentId, target: runId, requestId };
        const key = text === undefined ? undefined : keyUse(use, text, body);
        const voter = { kind: 'person', subject, roles, service } as const;
        const vote = { ...voteRequest(body), id: requestId };
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
          stopWhenHeldUp: true,
        });
        const replayed = continued.kind === 'REPLAYED';
        return runAnswer(run, { viewer: caller, preference, replayed });
      } finally {
        deadline.close();
      }
    },
  });

const keyUse = (
  use: Omit<KeyUse, 'route' | 'key' | 'bodyHash'>,
  key: string,
  body: ContinueBody,
): KeyUse => ({ ...use, route: 'continue', key, bodyHash: sha256Hex(canonicalJson(body)) });

/** A body in the words of who judges it. */
export function voteRequest(body: ContinueBody): VoteRequest {
  const { pauseId } = body;
  if ('decisions' in body) return { pauseId, votes: { each: body.decisions.map(voteOn) } };
  const { pauseId: _, ...vote } = body;
  const { callId, action, reason } = vote;
  if (callId === undefined) return { pauseId, votes: { all: { action, reason } } };
  return { pauseId, votes: { each: [voteOn({ ...vote, callId })] } };
}

type VoteBody = Extract<ContinueBody, { decisions: unknown }>['decisions'][number];
const voteOn = ({ grant, ...vote }: VoteBody): VoteOn => ({
  ...vote,
  ...(grant === undefined ? {} : { grant: { ...grant, grantId: newGrantId() } }),
});
