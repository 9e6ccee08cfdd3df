// The OpenAPI 3.1 document, made of the route table: each route's own schemas say what it takes,
// documentation/ says the rest.

import type { z } from 'zod';
import { PROBLEM_STATUS, type ProblemCode } from '../../contract/errors.ts';
import { EXAMPLES } from '../documentation/examples.ts';
import { OPERATIONS, type AnswerNote, type OperationNote } from '../documentation/operations.ts';
import {
  PATH_NOTES,
  QUERY_NOTES,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  type ResponseHeader,
} from '../documentation/parameters.ts';
import {
  componentSchemas,
  nameOf,
  refTo,
  schemaOf,
  type JsonSchema,
  type SchemaName,
} from '../documentation/schemas.ts';
import type { Route } from './route.ts';

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly description: string;
  } & JsonSchema;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> } & JsonSchema;
  readonly security: readonly JsonSchema[];
}

interface Media {
  readonly schema: JsonSchema;
  readonly examples?: Readonly<
    Record<string, { readonly summary?: string; readonly value: unknown }>
  >;
}
export interface Answered {
  readonly description: string;
  readonly headers?: JsonSchema;
  readonly content?: Readonly<Record<string, Media>>;
}
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
}
export interface Operation {
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly required: true;
    readonly content: Readonly<Record<string, Media>>;
  };
  readonly responses: Readonly<Record<string, Answered>>;
  readonly security: readonly JsonSchema[];
}

const TAGS = [
  { name: 'runs', description: 'Starting, reading, streaming and cancelling runs.' },
  { name: 'decisions', description: 'What waits for people, and their votes.' },
  { name: 'sessions', description: 'Conversations.' },
  { name: 'agents', description: 'What can be asked.' },
  { name: 'usage', description: 'What was used.' },
  { name: 'service', description: 'The service itself. No token.' },
];

/** `/api/agents/:agentId` as the document writes it. */
export const templateOf = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}');
const keyOf = (route: Route): string => `${route.method} ${templateOf(route.path)}`;

/** Throws where a route is not described: a document that hides a route is wrong. */
export function createDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const note = OPERATIONS[keyOf(route)];
    if (note === undefined)
      throw new Error(`documentation/operations.ts says nothing of ${keyOf(route)}`);
    (paths[templateOf(route.path)] ??= {})[route.method.toLowerCase()] = operationOf(route, note);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Holdpoint',
      version,
      description:
        'Runs AI agents so that a run is never lost and nothing dangerous happens without a person’s yes. Anything of another org, and anything one may not see, answers as an unknown id does.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: TAGS,
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: componentSchemas(),
      headers: Object.fromEntries(
        Object.entries(RESPONSE_HEADERS).map(([name, { description, schema }]) => [
          name,
          { description, schema },
        ]),
      ),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Each operation names the scope it needs; none implies another.',
        },
      },
    },
  };
}

function operationOf(route: Route, note: OperationNote): Operation {
  const key = keyOf(route);
  const scope =
    route.scope === 'open' ? [] : [{ bearer: route.scope === 'token' ? [] : [route.scope] }];
  const needs =
    route.scope === 'open' || route.scope === 'token'
      ? undefined
      : `Needs the scope \`${route.scope}\`.`;
  const description = [note.description, needs].filter((part) => part !== undefined).join('\n\n');
  return {
    tags: [note.tag],
    operationId: note.id,
    summary: note.summary,
    ...(description === '' ? {} : { description }),
    parameters: [
      ...[...route.path.matchAll(/:(\w+)/g)].map(([, name = '']) => pathParameter(name)),
      ...(route.query === undefined ? [] : queryParameters(route.query)),
      ...(note.headers ?? []).map((header) => ({
        ...REQUEST_HEADERS[header],
        in: 'header' as const,
        required: false,
      })),
    ],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: { required: true, content: { 'application/json': bodyOf(route.body, key) } },
        }),
    responses: { ...answersOf(key, note.answers), ...refusalsOf(route, note, key) },
    security: scope,
  };
}

const pathParameter = (name: string): Parameter => ({
  ...{
    name,
    in: 'path',
    required: true,
    description: PATH_NOTES[name]?.description ?? name,
    schema: { type: 'string' },
  },
});

const queryParameters = (query: z.ZodType): readonly Parameter[] => {
  const { properties = {}, required = [] } = schemaOf(query);
  return Object.entries(properties).map(([name, schema]) => ({
    ...{
      name,
      in: 'query',
      required: required.includes(name),
      description: QUERY_NOTES[name]?.description ?? name,
    },
    schema: noted(name, schema),
  }));
};

/**
 * The note says what the text stands for; how large it may be is a setting, which only the route
 * knows.
 */
function noted(name: string, schema: JsonSchema): JsonSchema {
  const note = QUERY_NOTES[name]?.schema;
  if (note === undefined) return schema;
  return 'maximum' in schema ? { ...note, maximum: schema['maximum'] } : note;
}

function bodyOf(schema: z.ZodType, key: string): Media {
  const name = nameOf(schema);
  return {
    schema: name === undefined ? { ...schemaOf(schema) } : refTo(name),
    ...examplesOf(`${key} body`),
  };
}

const examplesOf = (key: string): Pick<Media, 'examples'> => {
  const found = EXAMPLES[key];
  return found === undefined ? {} : { examples: found };
};

function answersOf(
  key: string,
  answers: Readonly<Record<number, AnswerNote>>,
): Record<string, Answered> {
  return Object.fromEntries(
    Object.entries(answers).map(
      ([status, { description, schema, type = 'application/json', headers = [] }]) => {
        const empty = status === '204';
        const media: Media = { schema: answerSchema(type, schema) };
        const content = { [type]: { ...media, ...examplesOf(`${key} ${status}`) } };
        return [
          status,
          {
            description,
            headers: headersOf(['RequestId', ...headers]),
            ...(empty ? {} : { content }),
          },
        ];
      },
    ),
  );
}

function answerSchema(type: string, schema: SchemaName | undefined): JsonSchema {
  if (type === 'text/event-stream' && schema !== undefined)
    return { type: 'string', contentMediaType: type, contentSchema: refTo(schema) };
  if (schema !== undefined) return refTo(schema);
  return { type: type === 'application/json' ? 'object' : 'string' };
}

const headersOf = (names: readonly ResponseHeader[]): JsonSchema =>
  Object.fromEntries(
    names.map((name) => [RESPONSE_HEADERS[name].header, { $ref: `#/components/headers/${name}` }]),
  );

/**
 * What any route of its kind may refuse, and its own; one answer a status, with the codes it may
 * carry.
 */
function refusalsOf(route: Route, note: OperationNote, key: string): Record<string, Answered> {
  const open = route.scope === 'open';
  const codes: readonly ProblemCode[] = [
    'INVALID_REQUEST',
    ...(open ? [] : (['UNAUTHENTICATED', 'TOO_MANY_REQUESTS', 'UNAVAILABLE'] as const)),
    ...(open || route.scope === 'token' ? [] : (['INSUFFICIENT_SCOPE'] as const)),
    ...(route.body === undefined
      ? []
      : (['MALFORMED_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
    ...(note.refusals ?? []),
    'INTERNAL',
  ];
  const statuses = [...new Set(codes.map((code) => PROBLEM_STATUS[code]))].toSorted(
    (a, b) => a - b,
  );
  return Object.fromEntries(
    statuses.map((status) => {
      const which = [...new Set(codes)].filter((code) => PROBLEM_STATUS[code] === status);
      const headers: ResponseHeader[] = ['RequestId'];
      if (status === 401 || status === 403) headers.push('WwwAuthenticate');
      if (status === 429 || status === 503) headers.push('RetryAfter');
      const content = {
        'application/problem+json': { schema: refTo('Problem'), ...examplesOf(`${key} ${status}`) },
      };
      return [
        String(status),
        {
          description: which.map((code) => `\`${code}\``).join(', '),
          headers: headersOf(headers),
          content,
        },
      ];
    }),
  );
}
