// What a caller sends to decide: a vote on all that waits, on one call, or on several.

import { z } from 'zod';
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
};
/** The same as the refinements below, for the document: a schema cannot be read out of a function. */
const NO_EDIT_ON_REJECT = {
  not: { required: ['arguments'], properties: { action: { const: 'REJECT' } } },
};
const BY_CALL_ID = {
  dependentRequired: { arguments: ['callId'], argumentsHash: ['callId'] },
  ...NO_EDIT_ON_REJECT,
};
const noEditOnReject = (vote: { action: Action; arguments?: unknown }): boolean =>
  vote.action === 'APPROVE' || vote.arguments === undefined;

export const ContinueBodySchema = z
  .union([
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
      .refine(noEditOnReject, { path: ['arguments'], message: 'goes with APPROVE only' })
      .meta({ override: BY_CALL_ID }),
    z.strictObject({
      pauseId: PauseId.optional(),
      decisions: z
        .array(
          z
            .strictObject({ callId: CallId, ...OneVoteShape })
            .refine(noEditOnReject, { path: ['arguments'], message: 'goes with APPROVE only' })
            .meta({ override: NO_EDIT_ON_REJECT }),
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
