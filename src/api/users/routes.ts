// Erasing a user: what they said, what they were answered, what is remembered of them.

import { AppError } from '../../contract/errors.ts';
import { deleteMemoriesOf } from '../../store/memories/memories.ts';
import { deleteSession } from '../../store/runs/sessions.ts';
import { openRunsOfUser, sessionsOfUser } from '../../store/runs/user-sessions.ts';
import type { AppDeps } from '../deps.ts';
import { defineRoute, type Route } from '../http/route.ts';

/** Named in the refusal. */
const OPEN_NAMED = 20;
/** A transaction each: a long history must not be one that takes too long. */
const SESSIONS_AT_ONCE = 20;

const openRuns = (runIds: readonly string[]): AppError =>
  new AppError(
    'USER_HAS_OPEN_RUNS',
    `The user has runs that are not over: ${runIds.join(', ')}. Wait for them, decide or cancel them first.`,
  );

export const userRoutes = ({ store }: Pick<AppDeps, 'store'>): readonly Route[] => [
  defineRoute({
    method: 'DELETE',
    path: '/api/users/:userId',
    scope: 'admin',
    id: 'eraseUser',
    tag: 'memories',
    summary: 'Erase a user',
    description:
      'Their sessions with everything said in them, and all that is remembered of them. Audit lines stay: they hold ids and hashes. One that was interrupted is finished by the same request again.',
    answers: { 204: { description: 'Nothing is left, or nothing was there.' } },
    refusals: ['USER_HAS_OPEN_RUNS'],
    handle: async ({ caller, param }) => {
      const { orgId, subject: actor } = caller;
      const userId = param('userId');
      const open = await store.asOrg(orgId, (tx) => openRunsOfUser(tx, orgId, userId, OPEN_NAMED));
      if (open.length > 0) throw openRuns(open);
      for (;;) {
        const left = await store.asOrg(orgId, async (tx) => {
          const sessions = await sessionsOfUser(tx, orgId, userId, SESSIONS_AT_ONCE);
          for (const sessionId of sessions) {
            const deleted = await deleteSession(tx, caller, { sessionId, userId });
            if (deleted.kind === 'OPEN') throw openRuns(deleted.runIds);
          }
          return sessions.length;
        });
        if (left === 0) break;
      }
      await store.asOrg(orgId, (tx) => deleteMemoriesOf(tx, { orgId, actor }, userId));
      return { status: 204 };
    },
  }),
];
