// What lists, sessions, agents and usage answer. Field names are fixed. Runs and calls in them are those of
// run.ts.

import { z } from 'zod';
import type { RunStatus } from './names.ts';
import { pageOf } from './page.ts';
import { DecisionSchema, PendingCallSchema, RunResponseSchema } from './run.ts';

const Timestamp = z.iso.datetime({ offset: true });
const Count = z.int().nonnegative();

export const RunPageSchema = pageOf('RunPage', RunResponseSchema);

/** Of the runs that the caller may see, by state. */
export const RunCountsSchema = z
  .object({
    QUEUED: Count,
    RUNNING: Count,
    PAUSED: Count,
    COMPLETED: Count,
    FAILED: Count,
    CANCELLED: Count,
  } satisfies Record<RunStatus, z.ZodType>)
  .meta({ id: 'RunCounts' });

export const WAITING_INPUT_MAX_CHARS = 1000;

/** A line of the inbox: a call that waits for a vote, and whose run it is. */
export const WaitingCallSchema = PendingCallSchema.extend({
  pauseId: z.string(),
  runId: z.string(),
  sessionId: z.string(),
  agentId: z.string(),
  userId: z.string(),
  startedBy: z.string().meta({ description: 'The `sub` of the token that started the run.' }),
  input: z
    .string()
    .max(WAITING_INPUT_MAX_CHARS)
    .meta({ description: 'The question, its first 1,000 characters.' }),
}).meta({
  id: 'WaitingCall',
  description: 'A call that waits for a vote the caller may cast, and whose run it is.',
});
export type WaitingCall = z.infer<typeof WaitingCallSchema>;
export const WaitingPageSchema = pageOf('WaitingPage', WaitingCallSchema);

const inboxFrame = <E extends string, D extends z.ZodType>(event: E, data: D) =>
  z.object({
    event: z.literal(event),
    data,
    /** Epoch milliseconds. */
    timestamp: z.int(),
  });

/** A frame of the stream of the inbox. */
export const InboxFrameSchema = z
  .discriminatedUnion('event', [
    inboxFrame('WAITING', WaitingCallSchema),
    inboxFrame(
      'DECIDED',
      WaitingCallSchema.extend({ decision: DecisionSchema.optional() }).meta({
        id: 'DecidedCall',
        description:
          'A call that does not wait for the caller any more; `decision` where one was the cause.',
      }),
    ),
  ])
  .meta({ id: 'InboxFrame', description: 'The `data:` line of a frame of the inbox.' });
export type InboxFrame = z.infer<typeof InboxFrameSchema>;

export const SessionSchema = z
  .object({
    sessionId: z.string(),
    agentId: z.string(),
    userId: z.string(),
    orgId: z.string(),
    runCount: Count.meta({ description: 'Runs that were started in it.' }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Session', description: 'A conversation. It belongs to its org and user.' });
export type Session = z.infer<typeof SessionSchema>;
export const SessionPageSchema = pageOf('SessionPage', SessionSchema);

export const MessageSchema = z
  .object({
    role: z.enum(['user', 'assistant']),
    content: z.string(),
    runId: z.string(),
    createdAt: Timestamp,
  })
  .meta({ id: 'Message' });
export type Message = z.infer<typeof MessageSchema>;
export const ConversationSchema = SessionSchema.extend({
  messages: z.array(MessageSchema).meta({
    description:
      'Of completed exchanges, in order, without follow-ups. Who decides about a run sees them up to that run. Of a conversation of more than 3 MiB the older texts are cut, with a mark that says where the whole is.',
  }),
}).meta({ id: 'Conversation' });
export type Conversation = z.infer<typeof ConversationSchema>;

const UsageShape = {
  runs: Count,
  promptTokens: Count,
  completionTokens: Count,
  totalTokens: Count,
  activeMs: Count,
};
export const UsageDaySchema = z
  .object({
    date: z.iso.date().meta({ description: 'In UTC, of the start of the runs.' }),
    ...UsageShape,
    activeMs: Count.meta({
      description:
        'Time in which anything was under way; of a run that is not over, up to its last pause.',
    }),
  })
  .meta({ id: 'UsageDay' });
export type UsageDay = z.infer<typeof UsageDaySchema>;
export const UsageSchema = z
  .object({
    from: Timestamp.meta({ description: 'Inclusive.' }),
    to: Timestamp.meta({
      description: 'Exclusive: of a date that was given, the end of that day.',
    }),
    data: z.array(UsageDaySchema).meta({ description: 'Days with runs, oldest first.' }),
    totals: z.object(UsageShape),
  })
  .meta({ id: 'Usage' });
export type Usage = z.infer<typeof UsageSchema>;

/** An agent as callers see it: neither its instructions nor its tools' addresses. */
export const AgentSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string(),
    is_team: z.boolean(),
    model: z.string(),
    models: z.array(z.string()),
    vision: z.boolean(),
    audio: z.boolean(),
    active: z.boolean(),
    tools: z.array(
      z.object({
        name: z.string(),
        description: z.string(),
        approval: z.enum(['required', 'never']),
      }),
    ),
  })
  .meta({ id: 'Agent' });
export type Agent = z.infer<typeof AgentSchema>;
export const AgentListSchema = z.array(AgentSchema).meta({ id: 'AgentList' });
