// The record of a run as it grows: a start that streams, joining and resuming any run's stream, and
// the stored events as pages.

import { setMaxListeners } from 'node:events';
import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { BEGINNING, POSITION, readPosition, type Position } from '../../contract/position.ts';
import { readRecordState, type RecordState } from '../../store/events/read.ts';
import { findVisibleRun, type RunName } from '../../store/queries/visibility.ts';
import type { AppDeps } from '../app.ts';
import { openEventStream, STREAM_HEADERS } from '../http/event-stream.ts';
import { followRun } from './follow-run.ts';
import { createSharedReads, presentLines, readRunLines, within } from './frames.ts';
import { LIMIT, LIMIT_DEFAULT } from '../http/page.ts';
import { defineRoute, type Answer, type Route, type RouteRequest } from '../http/route.ts';
import { pathOfRun } from './run-answer.ts';
import { noSuchRun, RUN_PATHS, runNamed } from './routes.ts';
import { commit, newRun, START_BODY } from './start-routes.ts';

const NOT_AN_ID = 'is not the id of a frame';
const AFTER = z
  .string('must be given once')
  .regex(POSITION, NOT_AN_ID)
  .transform((text): Position => readPosition(text) ?? BEGINNING)
  .optional();
const StreamQuery = z.strictObject({ after: AFTER });
const EventsQuery = z.strictObject({ limit: LIMIT, after: AFTER });

type Request = RouteRequest<unknown, unknown>;

export function streamRoutes(deps: AppDeps): readonly Route[] {
  const read = createSharedReads(deps.store);
  setMaxListeners(0, deps.draining); // each open stream is one

  const streamed = (
    { caller, gone }: Request,
    runId: string,
    from: Position,
    headers: Record<string, string> = {},
  ): Answer => ({
    status: 200,
    headers: { ...STREAM_HEADERS, ...headers },
    stream: async (response) => {
      const stream = openEventStream(response, {
        at: caller.expiresAt,
        signals: [deps.draining, gone],
      });
      try {
        await followRun(deps.store, read, {
          viewer: caller,
          runId,
          from,
          send: stream.send,
          over: stream.over,
        });
      } finally {
        stream.close();
      }
    },
  });

  return [
    defineRoute({
      method: 'POST',
      path: '/api/agents/:agentId/runs/stream',
      scope: 'runs:write',
      body: START_BODY,
      handle: async (request) => {
        const run = newRun(deps, request, 'stream');
        const started = await commit(deps, run);
        void deps.send(started.runId).catch(() => false);
        return streamed(
          request,
          started.runId,
          BEGINNING,
          started.kind === 'REPLAYED' ? { 'Idempotency-Replayed': 'true' } : {},
        );
      },
    }),
    ...RUN_PATHS.map((path) =>
      defineRoute({
        method: 'GET',
        path: `${path}/stream`,
        scope: 'runs:read',
        query: StreamQuery,
        handle: async (request) => {
          const after = lastEventId(request) ?? request.query.after ?? BEGINNING;
          const { runId, record } = await recordToRead(deps, request);
          if (record.ended && after.seq >= record.last) return { status: 204 };
          if (record.gone) throw eventsGone();
          return streamed(request, runId, within(after, record.last));
        },
      }),
    ),
    ...RUN_PATHS.map((path) =>
      defineRoute({
        method: 'GET',
        path: `${path}/events`,
        scope: 'runs:read',
        query: EventsQuery,
        handle: async (request) => {
          const { limit = LIMIT_DEFAULT, after = BEGINNING } = request.query;
          const { runId, agentId, record } = await recordToRead(deps, request);
          if (record.gone && after.seq < record.last) throw eventsGone();
          const wanted = {
            orgId: request.caller.orgId,
            runId,
            after,
            limit: limit + 1,
            framesOnly: true,
          };
          const frames = presentLines(await readRunLines(deps.store, wanted), request.caller);
          const data = frames.slice(0, limit).map(({ id, frame }) => ({ id, ...frame }));
          const hasMore = frames.length > limit;
          const nextCursor = hasMore ? (data.at(-1)?.id ?? null) : null;
          const next = `${pathOfRun(agentId, runId)}/events?limit=${limit}&after=${nextCursor}`;
          return {
            status: 200,
            ...(hasMore ? { headers: { Link: `<${next}>; rel="next"` } } : {}),
            body: { data, hasMore, nextCursor },
          };
        },
      }),
    ),
  ];
}

const eventsGone = (): AppError =>
  new AppError('EVENTS_GONE', "This run's events were deleted by retention. Read the run itself.");

/** Newer than `?after=`: a browser that reconnects sends it with the address it was once given. */
function lastEventId({ headerValues }: Pick<Request, 'headerValues'>): Position | undefined {
  const [text = '', more] = headerValues('Last-Event-ID');
  if (text === '' && more === undefined) return undefined;
  const position = more === undefined ? readPosition(text.trim()) : undefined;
  if (position !== undefined) return position;
  throw new AppError(
    'INVALID_REQUEST',
    `The Last-Event-ID ${NOT_AN_ID}: send that of the last frame you got, or none.`,
    {
      errors: [{ path: 'Last-Event-ID', message: NOT_AN_ID }],
    },
  );
}

async function recordToRead(
  { store }: Pick<AppDeps, 'store'>,
  request: Request,
): Promise<RunName & { readonly record: RecordState }> {
  const name = runNamed(request);
  const { caller } = request;
  const record = await store.asOrg(caller.orgId, async (tx) => {
    const found = await findVisibleRun(tx, caller, name);
    return found && readRecordState(tx, name.runId);
  });
  if (record === undefined) throw noSuchRun();
  return { ...name, record };
}
