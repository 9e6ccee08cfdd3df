// Voting on what a run waits for, and waiting for what comes next. Whether a vote counts is
// store/judge-vote.ts's.

import { randomUUID } from 'node:crypto';
import { ContinueBodySchema, type ContinueBody } from '../../contract/vote.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';
import { newGrantId } from '../../store/grants/grants.ts';
import { continueRun } from '../../store/runs/continue-run.ts';
import type { VoteOn, VoteRequest } from '../../store/calls/vote-policy.ts';
import type { AppDeps } from '../deps.ts';
import { BODY_MAX_BYTES } from '../http/body.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { actOnRun } from '../runs/act-on-run.ts';
import { atRunAddresses, type RouteName } from '../runs/find-run.ts';
import { ACCEPTED, SETTLED } from '../runs/run-answer.ts';

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
    handle: (request) =>
      actOnRun(deps, request, ({ runId }, keyOf) => {
        const { caller, body } = request;
        const { orgId, subject, roles, service } = caller;
        const requestId = randomUUID();
        const bodyHash = sha256Hex(canonicalJson(body));
        const key = keyOf({ route: 'continue', bodyHash, requestId });
        const voter = { kind: 'person', subject, roles, service } as const;
        const vote = { ...voteRequest(body), id: requestId };
        const { checkEdit } = deps;
        return deps.store.asOrg(orgId, (tx) =>
          continueRun(tx, { runId, voter, vote, key, checkEdit }),
        );
      }),
  });

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
