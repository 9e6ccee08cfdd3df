// What a caller sends to decide: a vote on all that waits, on one call, or on several.

import { z } from 'zod';
import { GrantBesideSchema } from './grant.ts';
import { ActionSchema, Arguments, type Action } from './run.ts';

const Reason = z.string().max(2000, 'must be at most 2000 characters');
const Hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal');
const CallId = z.string().min(1).max(100);
const PauseId = z.string().min(1).max(100);

const OneVoteShape = {
  action: ActionSchema,
  reason: Reason.optional(),
  argumentsHash: Hash.optional(),
  arguments: Arguments.optional(),
  grant: GrantBesideSchema.optional(),
};
/** The same as the refinements below, for the document: a schema cannot be read out of a function. */
const ON_APPROVE_ONLY = {
  if: { properties: { action: { const: 'REJECT' } } },
  then: { properties: { arguments: false, grant: false } },
};
const WITH_CALL_ID = ['arguments', 'argumentsHash', 'grant'] as const;
const BY_CALL_ID = {
  dependentRequired: Object.fromEntries(WITH_CALL_ID.map((field) => [field, ['callId']])),
  ...ON_APPROVE_ONLY,
};

/** What a rejection has no use for, and what is said of one named call alone. */
function checkVote(
  vote: {
    action: Action;
    callId?: string | undefined;
    arguments?: unknown;
    argumentsHash?: unknown;
    grant?: unknown;
  },
  context: z.RefinementCtx,
): void {
  const refuse = (field: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [field], message });
  for (const field of WITH_CALL_ID)
    if (vote[field] !== undefined && vote.callId === undefined) refuse(field, 'needs callId');
  for (const field of ['arguments', 'grant'] as const)
    if (vote[field] !== undefined && vote.action === 'REJECT')
      refuse(field, 'goes with APPROVE only');
}

export const ContinueBodySchema = z
  .union([
    z
      .strictObject({ ...OneVoteShape, pauseId: PauseId.optional(), callId: CallId.optional() })
      .superRefine(checkVote)
      .meta({ override: BY_CALL_ID }),
    z.strictObject({
      pauseId: PauseId.optional(),
      decisions: z
        .array(
          z
            .strictObject({ callId: CallId, ...OneVoteShape })
            .superRefine(checkVote)
            .meta({ override: ON_APPROVE_ONLY }),
        )
        .min(1, 'must not be empty')
        .max(1000)
        .refine(
          (list) => new Set(list.map((d) => d.callId)).size === list.length,
          'names a callId twice',
        ),
    }),
  ])
  .meta({
    id: 'ContinueBody',
    description:
      'A vote: on every open call of the present pause, on one (`callId`), or on several (`decisions`). Taken whole or not at all.',
  });
export type ContinueBody = z.infer<typeof ContinueBodySchema>;
