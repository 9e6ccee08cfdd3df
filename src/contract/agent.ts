// An agent as a run keeps it: the snapshot, with everything that a later release or an edited file
// must not change.

import { z } from 'zod';

/**
 * Is a call of the same tool with the same arguments asked about again in a run that had it
 * rejected? `once`: one more time.
 */
export const ASK_AGAIN = ['never', 'once', 'always'] as const;
export type AskAgain = (typeof ASK_AGAIN)[number];

const Name = z.string().regex(/^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/);

export const HttpCallSchema = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  /** With `{argument}` and `${SECRET}` places, filled when the call is made. */
  url: z.string(),
  headers: z.record(z.string(), z.string()),
});
export type HttpCall = z.infer<typeof HttpCallSchema>;

/** `command`: a server that is started here, over its standard input and output; in development. */
export const McpServerSchema = z.union([
  z.strictObject({
    /** Both with `${SECRET}` places, filled when a connection is opened. */
    url: z.string(),
    headers: z.record(z.string(), z.string()),
  }),
  z.strictObject({ command: z.array(z.string()).min(1) }),
]);
export type McpServer = z.infer<typeof McpServerSchema>;

/** A tool as its server declares it: what a person approves, and what is hashed. */
export const McpDefinitionSchema = z.strictObject({
  /** The server's name of it, without prefix. */
  name: z.string(),
  title: z.string().optional(),
  description: z.string(),
  inputSchema: z.record(z.string(), z.unknown()),
  outputSchema: z.record(z.string(), z.unknown()).optional(),
  annotations: z.record(z.string(), z.unknown()).optional(),
});
export type McpDefinition = z.infer<typeof McpDefinitionSchema>;

/** Of an approval rule, from the mildest to the strictest. */
export const THEN = ['never', 'required', 'refuse'] as const;
export type Then = (typeof THEN)[number];

export const RuleSchema = z.strictObject({
  name: z.string(),
  /** CEL over `args`, `user`, `org`, `agent`, `run`. */
  when: z.string(),
  then: z.enum(THEN),
  quorum: z.int().positive().optional(),
  /** As a tool's: a voter must be in both lists. */
  approvers: z.array(z.string()).optional(),
  risk: z.enum(['normal', 'high']).optional(),
  /** Told to the model where the rule refuses, shown to people where it asks them. */
  reason: z.string().optional(),
  /** Judged and recorded, without effect. */
  shadow: z.boolean().optional(),
});
export type Rule = z.infer<typeof RuleSchema>;

/** Asks the receiver what became of a call; `{idempotencyKey}` and arguments are places in it. */
export const ReconcileSchema = z.strictObject({
  method: z.literal('GET'),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
});

export const ToolSnapshotSchema = z.strictObject({
  name: Name,
  description: z.string(),
  /** JSON Schema of the arguments. */
  input: z.record(z.string(), z.unknown()),
  kind: z.enum(['http', 'code', 'mcp']),
  http: HttpCallSchema.optional(),
  /** The definition is the one that the run is pinned to. */
  mcp: z.strictObject({ server: McpServerSchema, definition: McpDefinitionSchema }).optional(),
  /**
   * `http`: hash of the declaration. `code`: the version that define-tool gives. `mcp`: hash of the
   * definition. Another one later is TOOL_CHANGED.
   */
  version: z.string(),
  readOnly: z.boolean(),
  idempotent: z.boolean(),
  /** Code tools that are over in a second and read-only or idempotent. */
  quick: z.boolean(),
  approval: z.enum(['required', 'never']),
  risk: z.enum(['normal', 'high']),
  /** `user:…`, `role:…`, `operator`. null: anyone of the org with the scope. */
  approvers: z.array(z.string()).nullable(),
  timeoutMs: z.int().positive(),
  /**
   * Statuses that a go-between gives without knowing (408, 502, 504), or asks to come again with,
   * that are the receiver's own answer here. Absent: none.
   */
  knownStatuses: z.array(z.int()).optional(),
  /**
   * Who is asked depends on the arguments. `approval` is then `required`, which is what a release
   * that knows no rules goes by. Absent: it does not.
   */
  rules: z.array(RuleSchema).optional(),
  /** The sentence that people decide by, with `{argument | filter}` places. Absent: none. */
  summary: z.string().optional(),
  /** Arguments that follow the sentence, a line each. */
  labels: z.array(z.strictObject({ name: z.string(), label: z.string() })).optional(),
  /** Name of the effect, with `{argument}` places: one of it in the org. Absent: it has none. */
  effectKey: z.string().optional(),
  /** Whom to ask about an unknown outcome before people are. Absent: nobody. */
  reconcile: ReconcileSchema.optional(),
  /** What holds where no rule matches; with `rules` only. */
  otherwise: z.enum(THEN).optional(),
});
export type ToolSnapshot = z.infer<typeof ToolSnapshotSchema>;

export const LimitsSchema = z.strictObject({
  maxTurns: z.int(),
  maxToolCalls: z.int(),
  maxRepeats: z.int(),
  maxTotalTokens: z.int(),
  historyTokens: z.int(),
  timeoutMs: z.int(),
  /** Of one tool in a run. Absent in snapshots of the first release: no limit. */
  maxRejections: z.int().optional(),
  /** The longest silence of the model in one call. Absent: what is left of timeoutMs. */
  modelTimeoutMs: z.int().optional(),
});

export const ApprovalsSchema = z.strictObject({
  expiresAfterMs: z.int().nullable(),
  quorum: z.int(),
  fourEyes: z.boolean(),
  /** What becomes of a call that was rejected before. Absent in snapshots of the first release. */
  askAgain: z.enum(ASK_AGAIN).optional(),
});

export const AgentSnapshotSchema = z.strictObject({
  /** Hash of everything below: `metadata.agentRevision`. */
  revision: z.string(),
  id: z.string(),
  name: z.string(),
  description: z.string(),
  active: z.boolean(),
  /** null: every org. */
  orgs: z.array(z.string()).nullable(),
  model: z.string(),
  models: z.array(z.string()),
  fallbackModels: z.array(z.string()),
  vision: z.boolean(),
  audio: z.boolean(),
  temperature: z.number().nullable(),
  maxTokens: z.int().nullable(),
  instructions: z.string(),
  tools: z.array(ToolSnapshotSchema),
  limits: LimitsSchema,
  approvals: ApprovalsSchema,
  /** Bases that it may search, by id, of the run's org. Absent: none. */
  knowledge: z.array(z.string()).optional(),
  /** Whether it gets the memories of the run's user. Absent: no. */
  memory: z.literal('user').optional(),
});
export type AgentSnapshot = z.infer<typeof AgentSnapshotSchema>;
