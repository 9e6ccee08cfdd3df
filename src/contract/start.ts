// The bodies that start a run, or say something to one that is paused.

import { z } from 'zod';
import { MEDIA_MAX_COUNT, MEDIA_TYPES } from './media.ts';
import { SubjectSchema } from './subject.ts';

const MESSAGE_MAX_CHARS = 100_000;

export const StartBodySchema = z
  .strictObject({
    message: z
      .string()
      .max(MESSAGE_MAX_CHARS, `must be at most ${MESSAGE_MAX_CHARS} characters`)
      // A pattern rather than a refinement: the document shows it.
      .regex(/\S/, 'must not be blank')
      .meta({ description: 'Not blank.' }),
    sessionId: z
      .uuid('must be a UUID')
      .transform((id) => id.toLowerCase())
      .optional()
      .meta({
        description:
          'Goes on with a session of one’s own; an unknown one is created. Left out: a new one.',
      }),
    userId: SubjectSchema.optional().meta({
      description:
        'Whose run it is. Another than the token’s subject needs the scope `runs:impersonate`.',
    }),
    orgId: SubjectSchema.optional().meta({ description: 'Must be the token’s.' }),
    generateFollowups: z.boolean().optional().meta({
      description:
        'Adds questions that may follow, in `content` and `metadata.followUps`. Default false.',
    }),
    media: z
      .array(z.strictObject({ type: z.enum(MEDIA_TYPES), data: z.string().min(1) }))
      .max(MEDIA_MAX_COUNT, `must be at most ${MEDIA_MAX_COUNT}`)
      .optional()
      .meta({ description: '`data`: base64, or an http(s) URL.' }),
    onPaused: z.enum(['reject', 'queue', 'withdraw']).optional().meta({
      description:
        'Where the session’s run is paused: `reject` refuses the start (409), `queue` waits as QUEUED until it has ended, `withdraw` takes its waiting calls back and hands the message to that same run (without media; options are its own). Default reject.',
    }),
    options: z
      .strictObject({
        model: z.string().min(1).max(200).optional(),
        temperature: z.number().min(0, 'must be 0 to 2').max(2, 'must be 0 to 2').optional(),
        maxTokens: z
          .int('must be a whole number')
          .min(1, 'must be at least 1')
          .optional()
          .meta({ override: { maximum: Number.MAX_SAFE_INTEGER } }),
      })
      .optional()
      .meta({ description: '`model` must be one that the agent allows.' }),
  })
  .meta({ id: 'StartBody', description: 'What to ask.' });
export type StartBody = z.infer<typeof StartBodySchema>;

/** To the paused run of one's own. */
export const WithdrawBodySchema = z
  .strictObject({
    message: z
      .string()
      .max(MESSAGE_MAX_CHARS, `must be at most ${MESSAGE_MAX_CHARS} characters`)
      .regex(/\S/, 'must not be blank')
      .optional()
      .meta({
        description: 'What the run goes on with. Left out: it hears of the withdrawal alone.',
      }),
  })
  .meta({ id: 'WithdrawBody' });
