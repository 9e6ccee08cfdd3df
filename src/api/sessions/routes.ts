// Sessions: listed, read with their conversation, their runs, deleted. One that the caller may not
// see is one that is not there.

import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { ConversationSchema, RunPageSchema, SessionPageSchema } from '../../contract/lists.ts';
import { SubjectSchema } from '../../contract/subject.ts';
import { listRuns } from '../../store/queries/run-lists.ts';
import {
  deleteSession,
  findSession,
  listSessions,
  readConversation,
  type SessionRecord,
} from '../../store/runs/sessions.ts';
import type { AppDeps } from '../deps.ts';
import { defineCursor, pageAnswer, pageNote, pageQuery, wanted } from '../http/page.ts';
import { AGENT_ID, sessionIdFrom, USER_ID } from '../http/query-fields.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { RUNS_CURSOR } from '../runs/list-routes.ts';
import { presentRun } from '../runs/present.ts';
import { presentConversation, presentSession } from './present.ts';

const SESSIONS_CURSOR = defineCursor('sessions', [z.uuid(), SubjectSchema]);
const ListQuery = z.strictObject({
  userId: USER_ID,
  agentId: AGENT_ID,
  ...pageQuery(SESSIONS_CURSOR),
});
/**
 * Users may have sessions of the same id: `userId` says whose is meant, where it is not one's own.
 */
const OneQuery = z.strictObject({ userId: USER_ID });
const RunsQuery = z.strictObject({ userId: USER_ID, ...pageQuery(RUNS_CURSOR) });

const noSuchSession = (): AppError => new AppError('NOT_FOUND', 'There is no such session.');
const found = (session: SessionRecord | undefined): SessionRecord => {
  if (session === undefined) throw noSuchSession();
  return session;
};
/** From the path; one that can be none never reaches the database. */
const idIn = (text: string): string => {
  const sessionId = sessionIdFrom(text);
  if (sessionId === undefined) throw noSuchSession();
  return sessionId;
};

type Deps = Pick<AppDeps, 'store'>;

export const sessionRoutes = (deps: Deps): readonly Route[] => [
  listSessionsRoute(deps),
  readSessionRoute(deps),
  listSessionRuns(deps),
  deleteSessionRoute(deps),
];

const listSessionsRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: '/api/sessions',
    scope: 'runs:read',
    id: 'listSessions',
    tag: 'sessions',
    summary: 'List sessions, newest first',
    description: 'One’s own, those of which one sees a run, and with `admin` the org’s.',
    query: ListQuery,
    answers: { 200: pageNote(SessionPageSchema) },
    handle: async ({ caller, query }) => {
      const sessions = await store.asOrg(caller.orgId, (tx) =>
        listSessions(tx, caller, query, wanted(query)),
      );
      return pageAnswer('/api/sessions', query, SESSIONS_CURSOR, sessions, presentSession);
    },
  });

const readSessionRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: '/api/sessions/:sessionId',
    scope: 'runs:read',
    id: 'readSession',
    tag: 'sessions',
    summary: 'Read a session with its messages',
    description:
      'Two users may have sessions of the same id: one’s own is meant, unless `userId` names another.',
    query: OneQuery,
    answers: { 200: { description: 'The session.', schema: ConversationSchema } },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, query, param }) => {
      const name = { sessionId: idIn(param('sessionId')), userId: query.userId };
      const body = await store.asOrg(caller.orgId, async (tx) => {
        const session = found(await findSession(tx, caller, name));
        return presentConversation(session, await readConversation(tx, caller, session));
      });
      return { status: 200, body };
    },
  });

const listSessionRuns = ({ store }: Deps): Route =>
  defineRoute({
    method: 'GET',
    path: '/api/sessions/:sessionId/runs',
    scope: 'runs:read',
    id: 'listSessionRuns',
    tag: 'sessions',
    summary: 'List the runs of a session that one may see, newest first',
    query: RunsQuery,
    answers: { 200: pageNote(RunPageSchema) },
    refusals: ['NOT_FOUND'],
    handle: async ({ caller, query, param }) => {
      const sessionId = idIn(param('sessionId'));
      const runs = await store.asOrg(caller.orgId, async (tx) => {
        const { userId } = found(
          await findSession(tx, caller, { sessionId, userId: query.userId }),
        );
        return listRuns(tx, caller, { sessionId, userId }, wanted(query));
      });
      return pageAnswer(`/api/sessions/${sessionId}/runs`, query, RUNS_CURSOR, runs, (run) =>
        presentRun(run, caller),
      );
    },
  });

const deleteSessionRoute = ({ store }: Deps): Route =>
  defineRoute({
    method: 'DELETE',
    path: '/api/sessions/:sessionId',
    scope: 'runs:write',
    id: 'deleteSession',
    tag: 'sessions',
    summary: 'Delete a session with everything said in it',
    description:
      'Its user’s, or with `admin` anyone’s. Runs, messages, calls and events go, and what they count in `usage`; audit lines stay, and so do idempotency keys, which answer 404 from then on.',
    query: OneQuery,
    answers: { 204: { description: 'It is gone, or was never there.' } },
    refusals: ['FORBIDDEN', 'SESSION_HAS_OPEN_RUNS'],
    handle: async ({ caller, query, param }) => {
      const sessionId = sessionIdFrom(param('sessionId'));
      if (sessionId === undefined) return { status: 204 };
      const deleted = await store.asOrg(caller.orgId, (tx) =>
        deleteSession(tx, caller, { sessionId, userId: query.userId }),
      );
      if (deleted.kind === 'FORBIDDEN')
        throw new AppError('FORBIDDEN', 'Only its user, or an admin, may delete this session.');
      if (deleted.kind === 'OPEN')
        throw new AppError(
          'SESSION_HAS_OPEN_RUNS',
          `The session has runs that are not over: ${deleted.runIds.join(', ')}. Wait for them, decide or cancel them first.`,
        );
      return { status: 204 };
    },
  });
