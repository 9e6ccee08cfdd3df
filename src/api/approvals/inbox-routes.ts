// The inbox: calls that wait for a vote the caller may cast. As pages, waited for, and as a stream.

import { setMaxListeners } from 'node:events';
import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { InboxFrameSchema, WaitingPageSchema } from '../../contract/lists.ts';
import type { Position } from '../../contract/position.ts';
import { RUN_ID } from '../../contract/names.ts';
import { StoreUnavailableError } from '../../store/database/access.ts';
import { readInboxHead, type InboxPosition } from '../../store/queries/inbox.ts';
import { listWaiting } from '../../store/queries/run-lists.ts';
import type { AppDeps } from '../deps.ts';
import type { Caller } from '../auth/caller.ts';
import { openEventStream, STREAM_HEADERS } from '../http/event-stream.ts';
import { AFTER_POSITION, lastEventId } from '../http/last-event-id.ts';
import { defineCursor, pageAnswer, pageNote, pageQuery, wanted } from '../http/page.ts';
import { AGENT_ID, waitUpTo } from '../http/query-fields.ts';
import { defineRoute, type Answer, type AnswerNote, type Route } from '../http/route.ts';
import { createWakeUp } from '../http/wake-up.ts';
import { presentWaiting } from '../runs/present-pending.ts';
import { createShareReads } from '../runs/share-reads.ts';
import { createDeadline } from '../runs/wait.ts';
import { createFollowInbox } from './follow-inbox.ts';
import { createInboxWatch, type InboxWatch } from './inbox-watch.ts';

const PATH = '/api/approvals';
/** Turn and place of a call. */
const PLACE = z.string().regex(/^\d{1,9}$/);
const CURSOR = defineCursor('approvals', [z.string().regex(RUN_ID), PLACE, PLACE]);
const StreamQuery = z.strictObject({ agentId: AGENT_ID, after: AFTER_POSITION });

const STREAM: AnswerNote = {
  description:
    'Frames with `id:`, `event:` and one `data:` line of JSON (the schema `InboxFrame`); comments keep it alive. `Last-Event-ID` resumes it with nothing lost and nothing twice.',
  schema: InboxFrameSchema,
  type: 'text/event-stream',
};

export function inboxRoutes(deps: AppDeps): readonly Route[] {
  const watch = createInboxWatch(deps);
  return [listRoute(deps, watch), streamRoute(deps, watch)];
}

function listRoute(deps: AppDeps, watch: InboxWatch): Route {
  const { store, draining } = deps;
  const PageQuery = z.strictObject({
    agentId: AGENT_ID,
    wait: waitUpTo(deps.syncWaitMaxMs),
    ...pageQuery(CURSOR),
  });
  type Query = z.infer<typeof PageQuery>;
  const share = createShareReads<Answer>();
  const readPage = (caller: Caller, { agentId, limit, after }: Query): Promise<Answer> => {
    const query = { agentId, limit, after };
    const { orgId, subject, roles, service } = caller;
    return share(JSON.stringify([orgId, subject, roles, service, query]), () =>
      store.asOrg(orgId, async (tx) => {
        const waiting = await listWaiting(tx, caller, query, wanted(query));
        return pageAnswer(PATH, query, CURSOR, waiting, ({ run, call }) =>
          presentWaiting(run, call, caller),
        );
      }),
    );
  };

  return defineRoute({
    method: 'GET',
    path: PATH,
    scope: 'runs:approve',
    id: 'listApprovals',
    tag: 'decisions',
    summary: 'The inbox: calls that wait for a vote one may cast, oldest first',
    description:
      'With `?wait=`, answered as soon as the page is another than it was when asked for.',
    query: PageQuery,
    answers: { 200: pageNote(WaitingPageSchema) },
    handle: async ({ caller, query, gone }) => {
      const read = (): Promise<Answer> => readPage(caller, query);
      if (!query.wait) return read();
      const deadline = createDeadline(query.wait * 1000, [draining, gone]);
      try {
        return await whenChanged(watch, caller.orgId, read, deadline.signal);
      } finally {
        deadline.close();
      }
    },
  });
}

function streamRoute(deps: AppDeps, watch: InboxWatch): Route {
  const { draining } = deps;
  const follow = createFollowInbox(deps, watch);
  return defineRoute({
    method: 'GET',
    path: `${PATH}/stream`,
    scope: 'runs:approve',
    id: 'streamApprovals',
    tag: 'decisions',
    summary: 'The inbox as it changes',
    description:
      'First a `WAITING` frame for each call of the inbox, then `WAITING` and `DECIDED` as they come: decided, expired, or its run over. It closes when the token expires.',
    headers: ['LastEventId'],
    query: StreamQuery,
    answers: { 200: STREAM },
    refusals: ['EVENTS_GONE'],
    handle: async (request) => {
      const { caller, query, gone } = request;
      const after = lastEventId(request) ?? query.after;
      const from = await beginAt(deps, caller.orgId, after);
      return {
        status: 200,
        headers: { ...STREAM_HEADERS },
        stream: async (response) => {
          const stream = openEventStream(response, {
            at: caller.expiresAt,
            signals: [draining, gone],
          });
          setMaxListeners(0, draining); // each open stream is one
          const { send, over } = stream;
          try {
            await follow({ viewer: caller, agentId: query.agentId, from, send, over });
          } finally {
            stream.close();
          }
        },
      };
    },
  });
}

/** The first answer that is not the one of now; as it is when the deadline is over. */
async function whenChanged(
  watch: InboxWatch,
  orgId: string,
  read: () => Promise<Answer>,
  deadline: AbortSignal,
): Promise<Answer> {
  const wakeUp = createWakeUp();
  const stop = watch.listen(orgId, wakeUp.set);
  deadline.addEventListener('abort', wakeUp.set);
  try {
    const first = await read();
    let latest = first;
    const before = JSON.stringify(first.body);
    while (!deadline.aborted && JSON.stringify(latest.body) === before) {
      await wakeUp.wait();
      latest = await read().catch((error: unknown) => {
        // A database that is away for a moment does not end a wait.
        if (deadline.aborted || !(error instanceof StoreUnavailableError)) throw error;
        return latest;
      });
    }
    return latest;
  } finally {
    stop();
    deadline.removeEventListener('abort', wakeUp.set);
  }
}

async function beginAt(
  { store }: Pick<AppDeps, 'store'>,
  orgId: string,
  after: Position | undefined,
): Promise<InboxPosition> {
  const { seq, deletedThrough } = await store.asOrg(orgId, (tx) => readInboxHead(tx, orgId));
  if (after === undefined) return { head: seq, given: 0 };
  // Who claims to have seen more than there is may have met the record before a restore.
  if (after.seq > seq) return { head: seq, given: seq };
  if (after.seq < deletedThrough)
    throw new AppError(
      'EVENTS_GONE',
      'What came after this was deleted by retention. Open the stream without Last-Event-ID.',
    );
  return { head: after.seq, given: Math.min(after.offset, after.seq) };
}
