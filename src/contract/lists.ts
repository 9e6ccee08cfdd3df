// What lists, sessions and usage answer. Field names are fixed. Runs and calls in them are those of
// run.ts.

import { z } from 'zod';
import type { RunStatus } from './names.ts';
import { PendingCallSchema, RunResponseSchema } from './run.ts';

const Timestamp = z.iso.datetime({ offset: true });
const Count = z.int().nonnegative();

/** `nextCursor` goes into `after` for what follows; null at the end. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ data: z.array(item), hasMore: z.boolean(), nextCursor: z.string().nullable() });

export const RunPageSchema = pageOf(RunResponseSchema);

/** Of the runs that the caller may see, by state. */
export const RunCountsSchema = z.object({
  QUEUED: Count,
  RUNNING: Count,
  PAUSED: Count,
  COMPLETED: Count,
  FAILED: Count,
  CANCELLED: Count,
} satisfies Record<RunStatus, z.ZodType>);

export const WAITING_INPUT_MAX_CHARS = 1000;

/** A line of the inbox: a call that waits for a vote, and whose run it is. */
export const WaitingCallSchema = PendingCallSchema.extend({
  pauseId: z.string(),
  runId: z.string(),
  sessionId: z.string(),
  agentId: z.string(),
  userId: z.string(),
  /** The `sub` of the token that started the run. */
  startedBy: z.string(),
  /** The question, as far as its first 1,000 characters. */
  input: z.string().max(WAITING_INPUT_MAX_CHARS),
});
export type WaitingCall = z.infer<typeof WaitingCallSchema>;
export const WaitingPageSchema = pageOf(WaitingCallSchema);

export const SessionSchema = z.object({
  sessionId: z.string(),
  agentId: z.string(),
  userId: z.string(),
  orgId: z.string(),
  runCount: Count,
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Session = z.infer<typeof SessionSchema>;
export const SessionPageSchema = pageOf(SessionSchema);

export const MessageSchema = z.object({
  role: z.enum(['user', 'assistant']),
  content: z.string(),
  runId: z.string(),
  createdAt: Timestamp,
});
export type Message = z.infer<typeof MessageSchema>;
export const ConversationSchema = SessionSchema.extend({ messages: z.array(MessageSchema) });
export type Conversation = z.infer<typeof ConversationSchema>;

const UsageShape = {
  runs: Count,
  promptTokens: Count,
  completionTokens: Count,
  totalTokens: Count,
  activeMs: Count,
};
export const UsageDaySchema = z.object({ date: z.iso.date(), ...UsageShape });
export type UsageDay = z.infer<typeof UsageDaySchema>;
export const UsageSchema = z.object({
  from: Timestamp,
  to: Timestamp,
  data: z.array(UsageDaySchema),
  totals: z.object(UsageShape),
});
export type Usage = z.infer<typeof UsageSchema>;
