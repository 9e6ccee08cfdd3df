// A run as every door shows it, and the bodies that the doors take. Field names are fixed.

import { z } from 'zod';
import { MEDIA_TYPES } from './media.ts';
import { FAILURE_CODE, RUN_STATUS } from './names.ts';

const Timestamp = z.iso.datetime({ offset: true });
const Arguments = z.record(z.string(), z.unknown());

export const ActionSchema = z.enum(['APPROVE', 'REJECT']);
export type Action = z.infer<typeof ActionSchema>;

export const VoteSchema = z.object({ by: z.string(), action: ActionSchema, at: Timestamp });

export const DecisionSchema = z.object({
  action: ActionSchema,
  /** Subjects of the tokens that voted so; `["operator"]`, `["expiry"]`. */
  by: z.array(z.string()),
  at: Timestamp,
  reason: z.string().optional(),
  /** What the model had asked for, where the approver changed it. */
  proposedArguments: Arguments.optional(),
});
export type Decision = z.infer<typeof DecisionSchema>;

export const ToolEntrySchema = z.object({
  callId: z.string(),
  name: z.string(),
  arguments: Arguments,
  result: z.string(),
  isError: z.boolean(),
  durationMs: z.int().nonnegative(),
  outcome: z.literal('UNKNOWN').optional(),
  decision: DecisionSchema.optional(),
});

export const PendingCallSchema = z.object({
  callId: z.string(),
  kind: z.enum(['APPROVAL', 'OUTCOME_UNKNOWN']),
  name: z.string(),
  arguments: Arguments,
  argumentsHash: z.string(),
  description: z.string().optional(),
  risk: z.enum(['normal', 'high']),
  askedAgain: z.enum(['ARGUMENTS_CHANGED', 'TOOL_CHANGED']).optional(),
  /** What is known of a call that may have happened. Only for `OUTCOME_UNKNOWN`. */
  evidence: z.string().optional(),
  requestedAt: Timestamp,
  expiresAt: Timestamp.nullable(),
  votesNeeded: z.int().positive(),
  votes: z.array(VoteSchema),
  /** `user:…`, `role:…`, `operator`. null: anyone of the org with the scope. */
  approvers: z.array(z.string()).nullable(),
  fourEyes: z.boolean(),
  youMay: z.boolean(),
  whyNot: z.string().optional(),
});
export type PendingCall = z.infer<typeof PendingCallSchema>;

export const RunMetadataSchema = z.object({
  model: z.string().optional(),
  promptTokens: z.int().nonnegative(),
  completionTokens: z.int().nonnegative(),
  totalTokens: z.int().nonnegative(),
  usageEstimated: z.literal(true).optional(),
  finishReason: z.string().optional(),
  followUps: z.array(z.string()).optional(),
  agentRevision: z.string(),
});

export const RunResponseSchema = z.object({
  runId: z.string(),
  sessionId: z.string(),
  agentId: z.string(),
  userId: z.string(),
  orgId: z.string(),
  status: z.enum(RUN_STATUS),
  input: z.string(),
  content: z.string(),
  output: z.string(),
  metadata: RunMetadataSchema,
  tools: z.array(ToolEntrySchema),
  reasoningSteps: z.array(z.string()),
  pauseId: z.string().optional(),
  pending: z.array(PendingCallSchema).optional(),
  error: z.object({ code: z.enum(FAILURE_CODE), message: z.string() }).optional(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type RunResponse = z.infer<typeof RunResponseSchema>;

/** A subject, org or user as we accept it anywhere: short, printable. */
export const SubjectSchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable characters without spaces');

export const MESSAGE_MAX_CHARS = 100_000;

export const StartBodySchema = z.strictObject({
  message: z
    .string()
    .max(MESSAGE_MAX_CHARS, `must be at most ${MESSAGE_MAX_CHARS} characters`)
    // A pattern rather than a refinement: the document shows it.
    .regex(/\S/, 'must not be blank'),
  sessionId: z
    .uuid('must be a UUID')
    .transform((id) => id.toLowerCase())
    .optional(),
  userId: SubjectSchema.optional(),
  orgId: SubjectSchema.optional(),
  generateFollowups: z.boolean().optional(),
  media: z
    .array(z.strictObject({ type: z.enum(MEDIA_TYPES), data: z.string().min(1) }))
    .max(8, 'must be at most 8')
    .optional(),
  options: z
    .strictObject({
      model: z.string().min(1).max(200).optional(),
      temperature: z.number().min(0, 'must be 0 to 2').max(2, 'must be 0 to 2').optional(),
      maxTokens: z.int('must be a whole number').min(1, 'must be at least 1').optional(),
    })
    .optional(),
});
export type StartBody = z.infer<typeof StartBodySchema>;

const Reason = z.string().max(2000, 'must be at most 2000 characters');
const Hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal');
const CallId = z.string().min(1).max(100);
const PauseId = z.string().min(1).max(100);

const OneVoteShape = {
  action: ActionSchema,
  reason: Reason.optional(),
  argumentsHash: Hash.optional(),
  arguments: Arguments.optional(),
};
const noEditOnReject = (vote: { action: Action; arguments?: unknown }): boolean =>
  vote.action === 'APPROVE' || vote.arguments === undefined;

export const ContinueBodySchema = z.union([
  z
    .strictObject({ ...OneVoteShape, pauseId: PauseId.optional(), callId: CallId.optional() })
    .refine((b) => b.callId !== undefined || b.arguments === undefined, {
      path: ['arguments'],
      message: 'needs callId',
    })
    .refine((b) => b.callId !== undefined || b.argumentsHash === undefined, {
      path: ['argumentsHash'],
      message: 'needs callId',
    })
    .refine(noEditOnReject, { path: ['arguments'], message: 'goes with APPROVE only' }),
  z.strictObject({
    pauseId: PauseId.optional(),
    decisions: z
      .array(
        z
          .strictObject({ callId: CallId, ...OneVoteShape })
          .refine(noEditOnReject, { path: ['arguments'], message: 'goes with APPROVE only' }),
      )
      .min(1, 'must not be empty')
      .max(1000)
      .refine(
        (list) => new Set(list.map((d) => d.callId)).size === list.length,
        'names a callId twice',
      ),
  }),
]);
export type ContinueBody = z.infer<typeof ContinueBodySchema>;

export const RUN_ID = /^run_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
