// A run as every door shows it. Field names are fixed; the bodies that doors take are start.ts's.

import { z } from 'zod';
import { Citations, ReadBefore } from './citation.ts';
import { FAILURE_CODE, RUN_STATUS } from './names.ts';
import { ToolDefinitionSchema } from './tool-definition.ts';

const Timestamp = z.iso.datetime({ offset: true });
export const Arguments = z.record(z.string(), z.unknown());

export const ActionSchema = z.enum(['APPROVE', 'REJECT']);
export type Action = z.infer<typeof ActionSchema>;
/** What became of a call: WITHDRAWN by the run's user, which no vote can be. */
export const DecidedAsSchema = z.enum(['APPROVE', 'REJECT', 'WITHDRAWN']);
export type DecidedAs = z.infer<typeof DecidedAsSchema>;

export const VoteSchema = z
  .object({ by: z.string(), action: ActionSchema, at: Timestamp })
  .meta({ id: 'Vote' });

export const DecisionSchema = z
  .object({
    action: DecidedAsSchema,
    by: z.array(z.string()).meta({
      description: 'Subjects of the tokens that voted so; `operator`; `expiry`.',
    }),
    at: Timestamp,
    grantId: z.string().optional().meta({
      description: 'The grant that it was let through by; `by` are those who gave it.',
    }),
    reason: z.string().optional(),
    proposedArguments: Arguments.optional().meta({
      description: 'What the model had asked for, where the approver changed it.',
    }),
  })
  .meta({ id: 'Decision' });
export type Decision = z.infer<typeof DecisionSchema>;

export const ToolEntrySchema = z
  .object({
    callId: z.string(),
    name: z.string(),
    arguments: Arguments.meta({
      description: 'Those that ran. `{}` where the model’s JSON was broken.',
    }),
    result: z.string(),
    isError: z.boolean(),
    durationMs: z.int().nonnegative(),
    httpStatus: z.int().optional().meta({
      description: 'Of the last answer that an HTTP tool gave, on success too.',
    }),
    outcome: z.literal('UNKNOWN').optional().meta({
      description: 'The call may have happened; nobody will be asked about it any more.',
    }),
    decision: DecisionSchema.optional(),
  })
  .meta({ id: 'ToolEntry' });

export const EarlierDecisionSchema = z
  .object({
    callId: z.string(),
    arguments: Arguments.meta({ description: 'As the model had asked for them.' }),
    action: DecidedAsSchema,
    by: z.array(z.string()),
    at: Timestamp,
    reason: z.string().optional(),
  })
  .meta({ id: 'EarlierDecision' });

export const ShownRuleSchema = z
  .object({
    name: z.string(),
    hash: z.string().meta({ description: 'Of the rule as the run’s snapshot has it.' }),
    reason: z.string().optional().meta({ description: 'The rule’s own, from the agent file.' }),
    problem: z.string().optional().meta({
      description: 'Why it could not be judged, which counts as `required`.',
    }),
  })
  .meta({ id: 'ShownRule', description: 'A rule over arguments that holds of a call.' });
export type ShownRule = z.infer<typeof ShownRuleSchema>;

export const PendingCallSchema = z
  .object({
    callId: z.string(),
    kind: z.enum(['APPROVAL', 'OUTCOME_UNKNOWN']).meta({
      description:
        'OUTCOME_UNKNOWN: the call may have happened and must not be repeated. APPROVE does it again, REJECT leaves it.',
    }),
    name: z.string(),
    arguments: Arguments,
    argumentsHash: z.string().meta({
      description:
        'SHA-256 of what APPROVE would run, and for whom. Sent back, it makes sure that nothing else is approved.',
    }),
    summary: z.string().optional().meta({
      description:
        'What APPROVE would do, in a sentence of the agent file, hidden characters visible; part of `argumentsHash`. Further lines are labelled arguments.',
    }),
    modelText: z.string().optional().meta({
      description:
        'What the model wrote beside its call: its own words, which nothing vouches for.',
    }),
    description: z.string().optional(),
    risk: z
      .enum(['normal', 'high'])
      .meta({ description: 'high: approved only by `callId` with `argumentsHash`.' }),
    askedAgain: z
      .enum(['ARGUMENTS_CHANGED', 'TOOL_CHANGED'])
      .optional()
      .meta({ description: 'It was approved, and is not what was approved any more.' }),
    evidence: z
      .string()
      .optional()
      .meta({ description: 'What is known of a call that may have happened.' }),
    requestedAt: Timestamp,
    expiresAt: Timestamp.nullable().meta({
      description: 'Then it counts as rejected. null: never.',
    }),
    votesNeeded: z.int().positive().meta({ description: 'In all, not what is missing.' }),
    votes: z.array(VoteSchema),
    approvers: z.array(z.string()).nullable().meta({
      description:
        'Who may decide: `user:…`, `role:…`, `operator`. null: anyone of the org with the scope `runs:approve`.',
    }),
    approversAlso: z.array(z.array(z.string())).optional().meta({
      description:
        'Lists beside `approvers`: a voter must be in each of them, by name or by role. Absent: there are none.',
    }),
    effectKey: z.string().optional().meta({
      description: 'The name under which it is done once in the org, its first 500 characters.',
    }),
    grantsNear: z
      .array(z.object({ grantId: z.string(), why: z.string() }))
      .optional()
      .meta({ description: 'Grants whose condition holds, and why they did not count.' }),
    rule: ShownRuleSchema.optional().meta({
      description: 'The rule that asks; absent where none matched.',
    }),
    rules: z
      .array(ShownRuleSchema)
      .optional()
      .meta({ description: 'All that hold, where they are several.' }),
    fourEyes: z
      .boolean()
      .meta({ description: 'Neither the run’s user nor who started it may decide.' }),
    youMay: z.boolean().meta({
      description:
        'A vote of the caller could still count: of who has approved already, too, for that can become a rejection.',
    }),
    whyNot: z.string().optional().meta({ description: 'Only where `youMay` is false.' }),
    earlier: z.array(EarlierDecisionSchema).meta({
      description: 'The last decisions in this run about calls of the same tool, oldest first.',
    }),
    tool: ToolDefinitionSchema.optional().meta({
      description:
        'Of a tool of an MCP server: the definition that the run is pinned to. In lists and in the inbox left out where it is long: the run has it.',
    }),
    toolNow: ToolDefinitionSchema.nullable().optional().meta({
      description:
        'Where the definition has changed: what the server declares now, and what APPROVE would call. null: it has no such tool any more.',
    }),
    citations: ReadBefore.optional(),
  })
  .meta({ id: 'PendingCall' });
export type PendingCall = z.infer<typeof PendingCallSchema>;

export const RunMetadataSchema = z
  .object({
    model: z.string().optional().meta({ description: 'The one that wrote the answer.' }),
    promptTokens: z.int().nonnegative(),
    completionTokens: z.int().nonnegative(),
    totalTokens: z.int().nonnegative(),
    usageEstimated: z
      .literal(true)
      .optional()
      .meta({ description: 'Present where the provider reported no usage.' }),
    finishReason: z
      .string()
      .optional()
      .meta({ description: '`length`: the answer was cut by `maxTokens`.' }),
    followUps: z.array(z.string()).optional().meta({ description: 'Where they were asked for.' }),
    citations: Citations.optional(),
    agentRevision: z
      .string()
      .meta({ description: 'Of the snapshot that the run was started with.' }),
  })
  .meta({
    id: 'RunMetadata',
    description: 'Sums over the whole run, pauses and repeated attempts included.',
  });

export const WaitingForSchema = z
  .object({
    what: z.literal('MODEL'),
    since: Timestamp,
    lastProblem: z.string().meta({ description: 'A sentence, without addresses.' }),
  })
  .meta({ id: 'WaitingFor' });

export const RunResponseSchema = z
  .object({
    runId: z.string().meta({
      description: '`run_` and a UUIDv7; also the id of its workflow in Temporal’s Web UI.',
    }),
    sessionId: z.string().meta({ description: 'The given one, or a new UUID.' }),
    agentId: z.string(),
    userId: z.string(),
    orgId: z.string(),
    status: z.enum(RUN_STATUS).meta({
      description: 'COMPLETED and CANCELLED never change again; a retry takes FAILED up.',
    }),
    input: z.string().meta({ description: 'The message.' }),
    content: z
      .string()
      .meta({ description: 'The final answer, Markdown. Empty unless COMPLETED.' }),
    output: z.string().meta({ description: 'Always equal to `content`.' }),
    metadata: RunMetadataSchema,
    waitingFor: WaitingForSchema.optional().meta({
      description: 'Only while the run is RUNNING and its model is away.',
    }),
    heldBy: z.literal('operator').optional().meta({
      description: 'Only while an operator has paused the workflow in Temporal.',
    }),
    tools: z.array(ToolEntrySchema).meta({
      description:
        'Every call that has an outcome, in call order; a rejected call with its refusal as result.',
    }),
    reasoningSteps: z
      .array(z.string())
      .meta({ description: 'What the model said it was thinking, in order.' }),
    pauseId: z.string().optional().meta({ description: 'Only when PAUSED.' }),
    pending: z
      .array(PendingCallSchema)
      .optional()
      .meta({ description: 'Only when PAUSED: all calls that are still open.' }),
    error: z
      .object({ code: z.enum(FAILURE_CODE), message: z.string() })
      .optional()
      .meta({ description: 'Only when FAILED.' }),
    cut: z.string().optional().meta({
      description:
        'Only in lists, of a run that is too long for one: texts end with a mark, `tools`, `pending` and `reasoningSteps` are the last ones, arguments that are too long stand as text under `[cut]`. The whole is at this address.',
    }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'RunResponse', description: 'A run, the same at every door.' });
export type RunResponse = z.infer<typeof RunResponseSchema>;

/** What a start answers that does not wait for the run. */
export const StartedSchema = z
  .object({ runId: z.string(), sessionId: z.string(), status: z.enum(RUN_STATUS) })
  .meta({ id: 'Started' });
