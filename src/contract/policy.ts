// What an agent's policy says of a call that nobody made, and what other rules would have said of
// the calls that are kept.

import { z } from 'zod';
import { RuleSchema, THEN } from './agent.ts';
import { Arguments, ShownRuleSchema } from './run.ts';
import { SubjectSchema } from './subject.ts';

const ThenSchema = z.enum(THEN);
const Timestamp = z.iso.datetime({ offset: true });

export const PolicyCheckBodySchema = z
  .strictObject({
    tool: z.string().min(1).max(100),
    arguments: Arguments,
    userId: SubjectSchema.optional().meta({
      description:
        'Whose run it would be. Left out: the caller’s. The roles of others are not known.',
    }),
  })
  .meta({ id: 'PolicyCheckBody' });

export const PolicyCheckSchema = z
  .object({
    then: ThenSchema,
    rules: z
      .array(
        ShownRuleSchema.extend({
          then: ThenSchema,
          shadow: z.literal(true).optional().meta({ description: 'It has no effect.' }),
        }).meta({ id: 'CheckedRule' }),
      )
      .meta({ description: 'Those that match, or cannot be judged, in the file’s order.' }),
    quorum: z.int().positive(),
    approvers: z.array(z.string()).nullable().meta({ description: 'null: anyone of the org.' }),
    approversAlso: z.array(z.array(z.string())).optional().meta({
      description: 'Lists beside `approvers`: a voter must be in each of them.',
    }),
    risk: z.enum(['normal', 'high']),
    reason: z.string().optional().meta({ description: 'What the model is told, where refused.' }),
  })
  .meta({ id: 'PolicyCheck' });

export const BacktestBodySchema = z
  .strictObject({
    agentId: z.string().min(1).max(100),
    tool: z.string().min(1).max(100).optional().meta({
      description: 'May be left out where the agent has one tool that needs approval.',
    }),
    rules: z.array(RuleSchema).min(1, 'must not be empty').max(50),
    otherwise: ThenSchema.optional().meta({ description: 'Default: required.' }),
    from: Timestamp.meta({ description: 'Of runs that started at or after this time.' }),
    to: Timestamp.meta({ description: 'Of runs that started before this time.' }),
  })
  .meta({ id: 'BacktestBody' });

export const BacktestSchema = z
  .object({
    calls: z.int().nonnegative(),
    changed: z.array(
      z.object({ callId: z.string(), runId: z.string(), was: ThenSchema, would: ThenSchema }),
    ),
    rejectedByPeopleButLetThrough: z.int().nonnegative(),
    editedByPeopleButLetThrough: z.int().nonnegative(),
  })
  .meta({ id: 'Backtest' });
export type Backtest = z.infer<typeof BacktestSchema>;
