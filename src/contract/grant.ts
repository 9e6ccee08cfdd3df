// A grant: a yes that counts for several calls of a tool, within bounds and for a while.

import { z } from 'zod';
import { pageOf } from './page.ts';
import { SubjectSchema } from './subject.ts';

const Timestamp = z.iso.datetime({ offset: true });

const GRANT_STATUS = ['PENDING', 'ACTIVE', 'USED_UP', 'EXPIRED', 'REVOKED'] as const;

const MaxSum = z.strictObject({
  field: z
    .string()
    .regex(/^args(\.[^.\s]{1,100}){1,10}$/, 'must be an argument, such as args.amountCents'),
  value: z.number().nonnegative(),
});

const Bounds = {
  when: z.string().min(1).max(4000).meta({
    description: 'A condition in CEL over `args`, as in rules: which calls it counts for.',
  }),
  maxUses: z.int('must be a whole number').min(1).max(10_000),
  maxSum: MaxSum.optional().meta({ description: 'The sum of `field` over all uses, at most.' }),
  expiresAt: Timestamp.meta({ description: 'At most seven days from now.' }),
  userId: SubjectSchema.optional().meta({
    description: 'Whose runs it counts for. Left out: all of the org.',
  }),
  reason: z.string().regex(/\S/, 'must not be blank').max(2000),
};

export const NewGrantSchema = z
  .strictObject({
    agentId: z.string().min(1).max(100),
    tool: z.string().min(1).max(100),
    ...Bounds,
  })
  .meta({ id: 'NewGrant' });

/** Beside an approval: the agent and the tool are those of the call. */
export const GrantBesideSchema = z.strictObject(Bounds).meta({
  id: 'GrantBeside',
  description: 'The same yes for later calls of this tool, within bounds and for a while.',
});
export type GrantBounds = z.infer<typeof GrantBesideSchema>;

export const GrantSchema = z
  .object({
    grantId: z.string(),
    agentId: z.string(),
    tool: z.string(),
    when: z.string(),
    status: z.enum(GRANT_STATUS).meta({
      description:
        'PENDING: more people have to give it. REVOKED also where the tool is another one since.',
    }),
    uses: z.int().nonnegative(),
    maxUses: z.int().positive(),
    sum: z.number().optional().meta({ description: 'Only with `maxSum`.' }),
    maxSum: MaxSum.optional(),
    userId: z.string().optional(),
    reason: z.string(),
    by: z.array(z.string()).meta({ description: 'Who has given it.' }),
    votesNeeded: z.int().positive(),
    createdAt: Timestamp,
    expiresAt: Timestamp,
    revokedBy: z.string().optional(),
  })
  .meta({ id: 'Grant' });
export type Grant = z.infer<typeof GrantSchema>;
export const GrantPageSchema = pageOf('GrantPage', GrantSchema);
