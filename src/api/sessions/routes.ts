// Sessions: listed, read with their conversation, their runs, deleted. One that the caller may not
// see is one that is not there.

import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { listRuns } from '../../store/queries/run-lists.ts';
import {
  deleteSession,
  findSession,
  listSessions,
  readConversation,
  type SessionRecord,
} from '../../store/runs/sessions.ts';
import type { AppDeps } from '../app.ts';
import { defineCursor, pageAnswer, pageQuery, wanted } from '../http/page.ts';
import { presentConversation, presentRun, presentSession } from '../runs/present.ts';
import { AGENT_ID, sessionIdFrom, USER_ID } from '../http/query-fields.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { SubjectSchema } from '../../contract/run.ts';
import { RUNS_CURSOR } from '../runs/list-routes.ts';

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

export const sessionRoutes = ({ store }: Pick<AppDeps, 'store'>): readonly Route[] => [
  defineRoute({
    method: 'GET',
    path: '/api/sessions',
    scope: 'runs:read',
    query: ListQuery,
    handle: async ({ caller, query }) => {
      const sessions = await store.asOrg(caller.orgId, (tx) =>
        listSessions(tx, caller, query, wanted(query)),
      );
      return pageAnswer('/api/sessions', query, SESSIONS_CURSOR, sessions, presentSession);
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/sessions/:sessionId',
    scope: 'runs:read',
    query: OneQuery,
    handle: async ({ caller, query, param }) => {
      const name = { sessionId: idIn(param('sessionId')), userId: query.userId };
      const body = await store.asOrg(caller.orgId, async (tx) => {
        const session = found(await findSession(tx, caller, name));
        return presentConversation(session, await readConversation(tx, caller, session));
      });
      return { status: 200, body };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/sessions/:sessionId/runs',
    scope: 'runs:read',
    query: RunsQuery,
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
  }),
  defineRoute({
    method: 'DELETE',
    path: '/api/sessions/:sessionId',
    scope: 'runs:write',
    query: OneQuery,
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
  }),
];
