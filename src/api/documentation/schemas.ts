// The named schemas of the OpenAPI document: the zod schemas that validate and that present.ts
// answers by, as JSON Schema 2020-12. By zod's own converter: it follows what the schemas say of
// themselves, and knows what goes in from what comes out.

import { z } from 'zod';
import { PROBLEM_STATUS, type ProblemCode } from '../../contract/errors.ts';
import { FrameSchema, StoredEventSchema } from '../../contract/frame.ts';
import {
  ConversationSchema,
  MessageSchema,
  pageOf,
  RunCountsSchema,
  RunPageSchema,
  SessionPageSchema,
  SessionSchema,
  UsageDaySchema,
  UsageSchema,
  WaitingCallSchema,
  WaitingPageSchema,
} from '../../contract/lists.ts';
import { RUN_STATUS } from '../../contract/names.ts';
import {
  ContinueBodySchema,
  DecisionSchema,
  PendingCallSchema,
  RunMetadataSchema,
  RunResponseSchema,
  StartBodySchema,
  ToolEntrySchema,
  VoteSchema,
} from '../../contract/run.ts';
import { FIELD_NOTES } from './field-notes.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

const CODES = Object.keys(PROBLEM_STATUS) as [ProblemCode, ...ProblemCode[]];

export const ProblemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string(),
  code: z.enum(CODES),
  requestId: z.string(),
  runId: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

const AgentSchema = z.object({
  ...{
    id: z.string(),
    name: z.string(),
    description: z.string(),
    is_team: z.boolean(),
    model: z.string(),
    models: z.array(z.string()),
  },
  ...{ vision: z.boolean(), audio: z.boolean(), active: z.boolean() },
  tools: z.array(
    z.object({
      name: z.string(),
      description: z.string(),
      approval: z.enum(['required', 'never']),
    }),
  ),
});

/** Everything a client may want a type of, by name. */
export const SCHEMAS = {
  RunResponse: RunResponseSchema,
  RunMetadata: RunMetadataSchema,
  ToolEntry: ToolEntrySchema,
  Decision: DecisionSchema,
  PendingCall: PendingCallSchema,
  Vote: VoteSchema,
  StartBody: StartBodySchema,
  ContinueBody: ContinueBodySchema,
  Started: z.object({ runId: z.string(), sessionId: z.string(), status: z.enum(RUN_STATUS) }),
  RunPage: RunPageSchema,
  RunCounts: RunCountsSchema,
  WaitingCall: WaitingCallSchema,
  WaitingPage: WaitingPageSchema,
  Session: SessionSchema,
  SessionPage: SessionPageSchema,
  Message: MessageSchema,
  Conversation: ConversationSchema,
  UsageDay: UsageDaySchema,
  Usage: UsageSchema,
  Agent: AgentSchema,
  AgentList: z.array(AgentSchema),
  Frame: FrameSchema,
  StoredEvent: StoredEventSchema,
  EventPage: pageOf(StoredEventSchema),
  Problem: ProblemSchema,
  Health: z.object({ status: z.enum(['live', 'ready']) }),
} as const satisfies Record<string, z.ZodType>;

export type SchemaName = keyof typeof SCHEMAS;

const REF = '#/components/schemas/';
export const refTo = (name: SchemaName): JsonSchema => ({ $ref: `${REF}${name}` });

type Mutable = Record<string, unknown>;

/**
 * What zod says more exactly than a reader of the document, or a generator of clients, wants it.
 */
function plainer({ jsonSchema }: { jsonSchema: Mutable }): void {
  if (jsonSchema['format'] !== undefined) delete jsonSchema['pattern'];
  if (jsonSchema['maximum'] === Number.MAX_SAFE_INTEGER) delete jsonSchema['maximum'];
  if (jsonSchema['minimum'] === Number.MIN_SAFE_INTEGER) delete jsonSchema['minimum'];
  delete jsonSchema['propertyNames'];
}

/**
 * `io: 'input'`: as it is sent. Answers have no defaults and transforms, so that both are the same
 * there.
 */
const OPTIONS = { io: 'input', override: plainer } as const;

export function componentSchemas(): Readonly<Record<SchemaName, JsonSchema>> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { ...OPTIONS, uri: (id) => `${REF}${id}` });
  const named = Object.entries(schemas).map(([name, schema]) => [
    name,
    withNotes(name, plain(schema as Mutable)),
  ]);
  return Object.fromEntries(named) as Record<SchemaName, JsonSchema>;
}

/** In the document it has a place of its own, and the document says what its schemas are. */
const plain = (schema: Mutable): Mutable =>
  Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$schema' && key !== '$id'));

/** Notes on fields, by `Schema` and `Schema.field`. */
function withNotes(name: string, schema: Mutable): JsonSchema {
  const note = FIELD_NOTES[name];
  const properties = schema['properties'] as Record<string, Mutable> | undefined;
  for (const [field, property] of Object.entries(properties ?? {})) {
    const about = FIELD_NOTES[`${name}.${field}`];
    if (about !== undefined) property['description'] = about;
  }
  return note === undefined ? schema : { description: note, ...schema };
}

/** A route's query or body, where it has no name of its own. */
export function schemaOf(schema: z.ZodType): {
  readonly properties?: Record<string, JsonSchema>;
  readonly required?: readonly string[];
} {
  return plain(z.toJSONSchema(schema, OPTIONS) as Mutable);
}

/** The name a schema has in the document. */
export const nameOf = (schema: z.ZodType): SchemaName | undefined =>
  (Object.keys(SCHEMAS) as SchemaName[]).find((name) => SCHEMAS[name] === schema);
