// Starting a run, however its caller waits for it: what a start is refused for, and the commit. Once
// it is committed the answer is never a 503: the run is kept, and the answer has its address.

import { randomUUID } from 'node:crypto';
import { v7 } from 'uuid';
import type { AgentSnapshot } from '../../contract/agent.ts';
import { AppError } from '../../contract/errors.ts';
import { StartBodySchema, type StartBody } from '../../contract/start.ts';
import { publicAddresses } from '../../egress/public-address.ts';
import { canonicalJson, sha256Hex } from '../../json/canonical.ts';
import { StoreUnavailableError } from '../../store/database/access.ts';
import type { RunRecord } from '../../store/queries/run-record.ts';
import type { KeyUse } from '../../store/runs/keys.ts';
import type { NewRun } from '../../store/runs/runs.ts';
import { startOrWithdraw, type StartedOrWithdrawn } from '../../store/runs/withdraw.ts';
import { agentOf } from '../agents/find-agent.ts';
import { requireScope } from '../auth/caller.ts';
import type { AppDeps } from '../deps.ts';
import { BODY_MAX_BYTES } from '../http/body.ts';
import { readIdempotencyKey } from '../http/idempotency-key.ts';
import type { RouteRequest } from '../http/route.ts';
import { isMediaText, readMedia } from './media.ts';

/** Eight pieces of media at most, and base64 adds a third. */
export const START_BODY = {
  schema: StartBodySchema,
  maxBytes: 28 * BODY_MAX_BYTES,
  uncounted: isMediaText,
};

type StartRequest = RouteRequest<unknown, StartBody>;

/** Why a start is refused, beside what its token and body are refused for. */
export const START_REFUSALS = [
  'NOT_FOUND',
  'FORBIDDEN',
  'AGENT_INACTIVE',
  'SESSION_OF_OTHER_AGENT',
  'SESSION_PAUSED',
  'IDEMPOTENCY_KEY_REUSED',
  'TOO_MANY_RUNS',
  'TOO_MANY_PAUSED_RUNS',
  'TOO_MANY_QUEUED_RUNS',
] as const;

function refuseForNow(): never {
  throw new AppError(
    'UNAVAILABLE',
    'A server of the tools of this agent cannot be reached, so it takes no runs for now. It is tried again: start the run later.',
    { headers: { 'Retry-After': '5' } },
  );
}

/**
 * Everything that a start is refused for before the store is asked; the run's ids are made here, so
 * that a repeated transaction finds itself.
 */
export function newRun(
  { agents, isWaiting, egressAllow = [], runLimits, tracing }: AppDeps,
  request: StartRequest,
  route: KeyUse['route'],
): NewRun {
  const { caller, body } = request;
  const key = readIdempotencyKey(request.headerValues('Idempotency-Key'));
  if (body.orgId !== undefined && body.orgId !== caller.orgId)
    throw new AppError(
      'FORBIDDEN',
      "The orgId is not the token's: runs start in the token's org only.",
    );
  const userId = body.userId ?? caller.subject;
  if (userId !== caller.subject) requireScope(caller, 'runs:impersonate');
  const agent = agentOf(agents, caller.orgId, request.param('agentId'));
  if (isWaiting?.(agent.id) === true) refuseForNow();
  const options = body.options ?? {};
  refuseModel(agent, options.model);
  const trace = tracing?.current();
  const media = readMedia(body.media ?? [], agent, publicAddresses(egressAllow));
  return {
    runId: `run_${v7()}`,
    orgId: caller.orgId,
    agent,
    userId,
    startedBy: caller.subject,
    ...(userId === caller.subject ? { userRoles: caller.roles } : {}),
    sessionId: body.sessionId ?? randomUUID(),
    input: body.message,
    ...(media.length === 0 ? {} : { media }),
    options,
    generateFollowups: body.generateFollowups ?? false,
    ...(body.onPaused === undefined ? {} : { onPaused: body.onPaused }),
    requestId: request.requestId,
    ...(trace === undefined ? {} : { trace }),
    lease: randomUUID(),
    ...(runLimits === undefined ? {} : { limits: runLimits }),
    ...(agent.active
      ? {}
      : {
          refusal: new AppError(
            'AGENT_INACTIVE',
            `The agent "${agent.id}" is switched off and takes no runs.`,
          ),
        }),
    ...(key === undefined
      ? {}
      : {
          key: {
            orgId: caller.orgId,
            caller: caller.subject,
            route,
            agentId: agent.id,
            target: '',
            key,
            bodyHash: hashOf(body),
          },
        }),
  };
}

/** A field left out and one given as its default are the same body. */
const hashOf = ({ onPaused = 'reject', ...body }: StartBody): string =>
  sha256Hex(
    canonicalJson({
      ...body,
      ...(onPaused === 'reject' ? {} : { onPaused }),
      generateFollowups: body.generateFollowups ?? false,
      media: (body.media ?? []).map(({ type, data }) => ({ type, data: sha256Hex(data) })),
      options: body.options ?? {},
    }),
  );

function refuseModel(agent: AgentSnapshot, model: string | undefined): void {
  if (model === undefined || model === agent.model || agent.models.includes(model)) return;
  throw new AppError(
    'INVALID_REQUEST',
    `options.model must be one that the agent allows: ${agent.models.join(', ')}.`,
    {
      errors: [{ path: 'options.model', message: `must be one of ${agent.models.join(', ')}` }],
    },
  );
}

/** Tells Temporal of the run; false where it was not told within 3 s. */
export const sendStart = (deps: AppDeps, started: StartedOrWithdrawn): Promise<boolean> =>
  deps.send(started.runId, started.kind === 'STARTED' ? started.line : undefined);

const LOGGED_AS: Readonly<Record<StartedOrWithdrawn['kind'], string>> = {
  STARTED: 'a run was started',
  REPLAYED: 'a start was sent again',
  WITHDREW: 'a message went to a paused run, whose calls were taken back',
};

export async function commit({ store, log }: AppDeps, run: NewRun): Promise<StartedOrWithdrawn> {
  try {
    const started = await store.asOrg(run.orgId, (tx) => startOrWithdraw(tx, run));
    // A caller knows the request's id, the worker's lines the run's: this one joins them.
    log.info(
      { requestId: run.requestId, runId: started.runId, agentId: run.agent.id },
      LOGGED_AS[started.kind],
    );
    return started;
  } catch (error) {
    if (!(error instanceof StoreUnavailableError) || !error.uncertain) throw error;
    throw new AppError(
      'UNAVAILABLE',
      `The database went away while the run was being started, so it may exist: read ${run.runId}, or repeat the request with its Idempotency-Key.`,
      {
        runId: run.runId,
        cause: error,
      },
    );
  }
}

/**
 * The database went away after the commit. The run is there, and as far as we know it is as it was
 * made.
 */
export function committedOr(error: unknown, run: NewRun, started: StartedOrWithdrawn): RunRecord {
  if (!(error instanceof StoreUnavailableError) || started.kind !== 'STARTED') throw error;
  const now = new Date();
  return {
    runId: run.runId,
    sessionId: run.sessionId,
    agentId: run.agent.id,
    userId: run.userId,
    orgId: run.orgId,
    startedBy: run.startedBy,
    status: 'QUEUED',
    input: run.input,
    content: '',
    model: null,
    finishReason: null,
    followUps: null,
    pauseId: null,
    promptTokens: 0,
    completionTokens: 0,
    usageEstimated: false,
    revision: run.agent.revision,
    errorCode: null,
    errorMessage: null,
    quorum: run.agent.approvals.quorum,
    fourEyes: run.agent.approvals.fourEyes,
    held: false,
    createdAt: now,
    updatedAt: now,
    reasoning: [],
    calls: [],
  };
}
