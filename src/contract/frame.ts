// A frame of a run's stream, as its `data:` line and the stored events hold it. `event` says what
// `data` is.

import { z } from 'zod';
import { FAILURE_CODE } from './names.ts';
import { pageOf } from './page.ts';
import { PendingCallSchema, RunResponseSchema, WaitingForSchema } from './run.ts';

const frame = <E extends string, D extends z.ZodType>(event: E, data: D) =>
  z.object({
    event: z.literal(event),
    data,
    /** Epoch milliseconds. */
    timestamp: z.int(),
    turn: z.int().nonnegative(),
  });

const CallName = { callId: z.string(), name: z.string() };

export const FRAMES = [
  frame('START', z.object({ runId: z.string(), sessionId: z.string() })),
  frame('REASONING_DELTA', z.string()),
  frame('CONTENT_DELTA', z.string()),
  frame('TOOL_START', z.object({ ...CallName, arguments: z.record(z.string(), z.unknown()) })),
  frame('TOOL_END', z.object({ ...CallName, result: z.string(), isError: z.boolean() })),
  frame('PAUSED', z.object({ pauseId: z.string(), pending: z.array(PendingCallSchema) })),
  /** The model is away, and is waited for. */
  frame('WAITING', WaitingForSchema),
  /** A model call is being repeated: what came after that id is void. */
  frame('RETRY', z.object({ keepThrough: z.string() })),
  /** After an ERROR: the run is taken up again. */
  frame('RETRIED', z.object({ by: z.string() })),
  frame('STOP', RunResponseSchema),
  frame('CANCELLED', z.object({})),
  frame('ERROR', z.object({ code: z.enum(FAILURE_CODE), message: z.string() })),
] as const;

export const FrameSchema = z.discriminatedUnion('event', FRAMES).meta({
  id: 'Frame',
  description:
    'The `data:` line of a frame. `event` says what `data` is. Exactly one of STOP, CANCELLED and ERROR ends a stream; an ERROR that RETRIED follows is not the end.',
});
export type Frame = z.infer<typeof FrameSchema>;

/** As `…/events` lists it: its id is the frame's on the stream. */
export const StoredEventSchema = z
  .object({
    id: z.string().meta({ description: 'Also the frame’s `id:` on the stream.' }),
    event: z.string(),
    data: z.unknown(),
    timestamp: z.int(),
    turn: z.int().nonnegative(),
  })
  .meta({ id: 'StoredEvent' });
export const EventPageSchema = pageOf('EventPage', StoredEventSchema);
