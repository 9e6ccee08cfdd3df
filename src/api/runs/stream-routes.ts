// The record of a run as it grows: a start that streams, joining and resuming any run's stream, and
// the stored events as pages.

import { setMaxListeners } from 'node:events';
import { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import { EventPageSchema, FrameSchema } from '../../contract/frame.ts';
import { BEGINNING, type Position } from '../../contract/position.ts';
import { readRecordState, type RecordState } from '../../store/events/read.ts';
import { findVisibleRun, type RunName } from '../../store/queries/visibility.ts';
import type { AppDeps } from '../deps.ts';
import { openEventStream, STREAM_HEADERS } from '../http/event-stream.ts';
import { AFTER_POSITION, lastEventId } from '../http/last-event-id.ts';
import { followRun } from './follow-run.ts';
import { createSharedReads, presentLines, readRunLines, within } from './frames.ts';
import { LIMIT, LIMIT_DEFAULT, pageNote, thatFit } from '../http/page.ts';
import {
  defineRoute,
  type Answer,
  type AnswerNote,
  type Route,
  type RouteRequest,
} from '../http/route.ts';
import { pathOfRun } from './run-answer.ts';
import { atRunAddresses, noSuchRun, runNamed, type RouteName } from './find-run.ts';
import { commit, newRun, sendStart, START_BODY, START_REFUSALS } from './start-run.ts';

const StreamQuery = z.strictObject({ after: AFTER_POSITION });
const EventsQuery = z.strictObject({ limit: LIMIT, after: AFTER_POSITION });

type Request = RouteRequest<unknown, unknown>;

/** One for all streams of a process. */
interface StreamDeps extends AppDeps {
  readonly read: ReturnType<typeof createSharedReads>;
}

export function streamRoutes(deps: AppDeps): readonly Route[] {
  setMaxListeners(0, deps.draining); // each open stream is one
  const streams: StreamDeps = { ...deps, read: createSharedReads(deps.store) };
  return [
    startAndStream(streams),
    ...atRunAddresses(
      { path: '/stream', id: 'streamRun', summary: 'Join or resume the stream of a run' },
      (named) => joinStream(streams, named),
    ),
    ...atRunAddresses(
      { path: '/events', id: 'listRunEvents', summary: 'The stored events of a run' },
      (named) => listEvents(deps, named),
    ),
  ];
}

const STREAM: AnswerNote = {
  description:
    'Frames with `id:`, `event:` and one `data:` line of JSON (the schema `Frame`). The stream stays open over pauses; comments keep it alive. `Last-Event-ID` resumes it with nothing lost and nothing twice.',
  schema: FrameSchema,
  type: 'text/event-stream',
};

const startAndStream = (deps: StreamDeps): Route =>
  defineRoute({
    method: 'POST',
    path: '/api/agents/:agentId/runs/stream',
    scope: 'runs:write',
    id: 'startRunAndStream',
    tag: 'runs',
    summary: 'Run an agent and stream what happens',
    headers: ['IdempotencyKey'],
    body: START_BODY,
    answers: { 200: { ...STREAM, headers: ['IdempotencyReplayed'] } },
    refusals: START_REFUSALS,
    handle: async (request) => {
      const run = newRun(deps, request, 'stream');
      const started = await commit(deps, run);
      void sendStart(deps, started).catch(() => false);
      const replayed = started.kind === 'REPLAYED' ? { 'Idempotency-Replayed': 'true' } : {};
      return streamed(deps, request, { runId: started.runId, from: BEGINNING }, replayed);
    },
  });

const joinStream = (deps: StreamDeps, named: RouteName): Route =>
  defineRoute({
    ...named,
    method: 'GET',
    scope: 'runs:read',
    tag: 'runs',
    headers: ['LastEventId'],
    query: StreamQuery,
    answers: { 200: STREAM, 204: { description: 'Everything up to the end was already seen.' } },
    refusals: ['NOT_FOUND', 'EVENTS_GONE'],
    handle: async (request) => {
      const after = lastEventId(request) ?? request.query.after ?? BEGINNING;
      const { runId, record } = await recordToRead(deps, request);
      if (record.ended && after.seq >= record.last) return { status: 204 };
      if (record.gone) throw eventsGone();
      return streamed(deps, request, { runId, from: within(after, record.last) });
    },
  });

const listEvents = (deps: AppDeps, named: RouteName): Route =>
  defineRoute({
    ...named,
    method: 'GET',
    scope: 'runs:read',
    tag: 'runs',
    description: 'The frames of the stream with their ids, oldest first.',
    query: EventsQuery,
    answers: { 200: pageNote(EventPageSchema) },
    refusals: ['NOT_FOUND', 'EVENTS_GONE'],
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
      const lines = await readRunLines(deps.store, wanted);
      const frames = presentLines(lines, request.caller);
      const data = thatFit(frames.slice(0, limit).map(({ id, frame }) => ({ id, ...frame })));
      const hasMore = lines.more || frames.length > data.length;
      const nextCursor = hasMore ? (data.at(-1)?.id ?? null) : null;
      const next = `${pathOfRun(agentId, runId)}/events?limit=${limit}&after=${nextCursor}`;
      return {
        status: 200,
        ...(hasMore ? { headers: { Link: `<${next}>; rel="next"` } } : {}),
        body: { data, hasMore, nextCursor },
      };
    },
  });

const streamed = (
  { store, read, draining }: StreamDeps,
  { caller, gone }: Request,
  { runId, from }: { readonly runId: string; readonly from: Position },
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status: 200,
  headers: { ...STREAM_HEADERS, ...headers },
  stream: async (response) => {
    const stream = openEventStream(response, { at: caller.expiresAt, signals: [draining, gone] });
    const { send, over } = stream;
    try {
      await followRun(store, read, { viewer: caller, runId, from, send, over });
    } finally {
      stream.close();
    }
  },
});

const eventsGone = (): AppError =>
  new AppError('EVENTS_GONE', "This run's events were deleted by retention. Read the run itself.");

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
