// What each route does and answers, in words, by its method and path. What it takes is not here:
// that is in the route's own schemas. A route that is missing here, or a line here without a route,
// fails a test.

import type { ProblemCode } from '../../contract/errors.ts';
import type { RequestHeader, ResponseHeader } from './parameters.ts';
import type { SchemaName } from './schemas.ts';

export interface AnswerNote {
  readonly description: string;
  readonly schema?: SchemaName;
  /** Default: application/json. */
  readonly type?: 'application/json' | 'text/event-stream' | 'text/html';
  readonly headers?: readonly ResponseHeader[];
}

export interface OperationNote {
  readonly tag: 'runs' | 'decisions' | 'sessions' | 'agents' | 'usage' | 'service';
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly headers?: readonly RequestHeader[];
  readonly answers: Readonly<Record<number, AnswerNote>>;
  /** Beside what follows from the token, the scope, the query and the body. */
  readonly refusals?: readonly ProblemCode[];
}

const RUN = '/api/agents/{agentId}/runs/{runId}';
const RUNS = '/api/agents/{agentId}/runs';

const settled: AnswerNote = {
  description:
    'The run has settled: COMPLETED, PAUSED, FAILED or CANCELLED. A run that fails after it was accepted is a 200 too.',
  schema: 'RunResponse',
  headers: ['ContentLocation', 'PreferenceApplied', 'IdempotencyReplayed'],
};
const accepted: AnswerNote = {
  description: 'The answer is not there yet: the run as it stands, and where to read it.',
  schema: 'RunResponse',
  headers: ['Location', 'RetryAfter', 'PreferenceApplied', 'IdempotencyReplayed'],
};
const stream: AnswerNote = {
  description:
    'Frames with `id:`, `event:` and one `data:` line of JSON (the schema `Frame`). The stream stays open over pauses; comments keep it alive. `Last-Event-ID` resumes it with nothing lost and nothing twice.',
  schema: 'Frame',
  type: 'text/event-stream',
};
const startRefusals = [
  'NOT_FOUND',
  'FORBIDDEN',
  'AGENT_INACTIVE',
  'SESSION_OF_OTHER_AGENT',
  'SESSION_PAUSED',
  'IDEMPOTENCY_KEY_REUSED',
] as const;
const nothing = (description: string): AnswerNote => ({ description });
const page = (schema: SchemaName): AnswerNote => ({
  description: 'A page.',
  schema,
  headers: ['Link'],
});

const OPERATIONS_WITH_AGENT: Readonly<Record<string, OperationNote>> = {
  [`POST ${RUNS}`]: {
    ...{
      tag: 'runs',
      id: 'startRun',
      summary: 'Run an agent and wait for the answer',
      headers: ['IdempotencyKey', 'Prefer'],
    },
    description:
      'The run is committed before anything is answered. A client that goes away neither cancels nor loses it.',
    answers: { 200: settled, 202: accepted },
    refusals: startRefusals,
  },
  [`POST ${RUNS}/background`]: {
    ...{
      tag: 'runs',
      id: 'startRunInBackground',
      summary: 'Start a run and return',
      headers: ['IdempotencyKey'],
    },
    answers: {
      200: {
        description: 'Started.',
        schema: 'Started',
        headers: ['Location', 'IdempotencyReplayed'],
      },
    },
    refusals: startRefusals,
  },
  [`POST ${RUNS}/stream`]: {
    ...{
      tag: 'runs',
      id: 'startRunAndStream',
      summary: 'Run an agent and stream what happens',
      headers: ['IdempotencyKey'],
    },
    answers: { 200: { ...stream, headers: ['IdempotencyReplayed'] } },
    refusals: startRefusals,
  },
  [`GET ${RUN}`]: {
    ...{ tag: 'runs', id: 'readRun', summary: 'Read a run, or wait for it with `?wait=`' },
    answers: { 200: { description: 'The run as it stands.', schema: 'RunResponse' } },
    refusals: ['NOT_FOUND'],
  },
  [`GET ${RUN}/status`]: {
    ...{ tag: 'runs', id: 'readRunStatus', summary: 'The same as reading the run' },
    answers: { 200: { description: 'The run as it stands.', schema: 'RunResponse' } },
    refusals: ['NOT_FOUND'],
  },
  [`GET ${RUN}/stream`]: {
    ...{
      tag: 'runs',
      id: 'streamRun',
      summary: 'Join or resume the stream of a run',
      headers: ['LastEventId'],
    },
    answers: { 200: stream, 204: nothing('Everything up to the end was already seen.') },
    refusals: ['NOT_FOUND', 'EVENTS_GONE'],
  },
  [`GET ${RUN}/events`]: {
    ...{ tag: 'runs', id: 'listRunEvents', summary: 'The stored events of a run' },
    description: 'The frames of the stream with their ids, oldest first.',
    answers: { 200: page('EventPage') },
    refusals: ['NOT_FOUND', 'EVENTS_GONE'],
  },
  [`POST ${RUN}/continue`]: {
    ...{
      tag: 'decisions',
      id: 'continueRun',
      summary: 'Approve or reject what a run waits for',
      headers: ['IdempotencyKey', 'Prefer'],
    },
    description:
      'Waits for what comes next: the next settled state, or at once PAUSED while anything is still open. The same vote again is 200 and changes nothing. 428: name the call (`callId`, `argumentsHash`, `pauseId`), because its risk is high, its outcome unknown, or the run is paused again since.',
    answers: { 200: settled, 202: accepted },
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
  },
  [`DELETE ${RUN}`]: {
    ...{ tag: 'runs', id: 'cancelRun', summary: 'Cancel a run' },
    description: 'Final once answered: no call that was not yet dispatched starts.',
    answers: { 204: nothing('It is cancelled, or had ended before.') },
    refusals: ['NOT_FOUND', 'FORBIDDEN'],
  },
  'GET /api/runs': {
    ...{ tag: 'runs', id: 'listRuns', summary: 'List the runs that one may see, newest first' },
    description: 'Filters combine. A caller that was cut off finds its run by `requestId`.',
    answers: { 200: page('RunPage') },
  },
  'GET /api/runs/counts': {
    ...{
      tag: 'runs',
      id: 'countRuns',
      summary: 'How many runs that one may see are in each state',
    },
    answers: { 200: { description: 'The counts.', schema: 'RunCounts' } },
  },
  'GET /api/approvals': {
    ...{
      tag: 'decisions',
      id: 'listApprovals',
      summary: 'The inbox: calls that wait for a vote one may cast, oldest first',
    },
    answers: { 200: page('WaitingPage') },
  },
  'GET /api/sessions': {
    ...{ tag: 'sessions', id: 'listSessions', summary: 'List sessions, newest first' },
    description: 'One’s own, those of which one sees a run, and with `admin` the org’s.',
    answers: { 200: page('SessionPage') },
  },
  'GET /api/sessions/{sessionId}': {
    ...{ tag: 'sessions', id: 'readSession', summary: 'Read a session with its messages' },
    description:
      'Two users may have sessions of the same id: one’s own is meant, unless `userId` names another.',
    answers: { 200: { description: 'The session.', schema: 'Conversation' } },
    refusals: ['NOT_FOUND'],
  },
  'GET /api/sessions/{sessionId}/runs': {
    ...{
      tag: 'sessions',
      id: 'listSessionRuns',
      summary: 'List the runs of a session that one may see, newest first',
    },
    answers: { 200: page('RunPage') },
    refusals: ['NOT_FOUND'],
  },
  'DELETE /api/sessions/{sessionId}': {
    ...{
      tag: 'sessions',
      id: 'deleteSession',
      summary: 'Delete a session with everything said in it',
    },
    description:
      'Its user’s, or with `admin` anyone’s. Runs, messages, calls and events go, and what they count in `usage`; audit lines stay, and so do idempotency keys, which answer 404 from then on.',
    answers: { 204: nothing('It is gone, or was never there.') },
    refusals: ['FORBIDDEN', 'SESSION_HAS_OPEN_RUNS'],
  },
  'GET /api/usage': {
    ...{ tag: 'usage', id: 'readUsage', summary: 'Runs, tokens and time, by day' },
    description:
      'Of oneself, or with `admin` of the org. Without `from`: thirty days; without `to`: up to now.',
    answers: { 200: { description: 'The usage.', schema: 'Usage' } },
  },
  'GET /api/agents': {
    ...{ tag: 'agents', id: 'listAgents', summary: 'The agents of the token’s org' },
    answers: { 200: { description: 'The agents.', schema: 'AgentList' } },
  },
  'GET /api/agents/{agentId}': {
    ...{ tag: 'agents', id: 'readAgent', summary: 'An agent' },
    answers: { 200: { description: 'The agent.', schema: 'Agent' } },
    refusals: ['NOT_FOUND'],
  },
  'GET /health/live': {
    ...{ tag: 'service', id: 'isLive', summary: 'Is the process alive?' },
    answers: { 200: { description: 'It is.', schema: 'Health' } },
  },
  'GET /health/ready': {
    ...{ tag: 'service', id: 'isReady', summary: 'Can it take work?' },
    answers: { 200: { description: 'It can.', schema: 'Health' } },
    refusals: ['UNAVAILABLE'],
  },
  'GET /openapi.json': {
    ...{ tag: 'service', id: 'readDocument', summary: 'This document' },
    answers: { 200: { description: 'OpenAPI 3.1.' } },
  },
  'GET /docs': {
    ...{ tag: 'service', id: 'readDocumentation', summary: 'This document as a page' },
    answers: {
      200: {
        description: 'HTML, without scripts and without requests to anywhere.',
        type: 'text/html',
      },
    },
  },
};

/** A run has a second address, without its agent's id, that does the same. */
const SHORT = '/api/runs/{runId}';
const isOfRun = (key: string): boolean => key.includes(` ${RUN}`) && !key.endsWith('/status');

export const OPERATIONS: Readonly<Record<string, OperationNote>> = {
  ...OPERATIONS_WITH_AGENT,
  ...Object.fromEntries(
    Object.entries(OPERATIONS_WITH_AGENT)
      .filter(([key]) => isOfRun(key))
      .map(([key, note]): [string, OperationNote] => [
        key.replace(RUN, SHORT),
        { ...note, id: `${note.id}ById`, summary: `${note.summary} (without the agent’s id)` },
      ]),
  ),
};
