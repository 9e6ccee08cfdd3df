// The OpenAPI 3.1 document, made of the routes: zod-openapi turns their schemas into JSON Schema,
// this file maps a route's declaration to the document's terms.

import { z } from 'zod';
import {
  createDocument as assemble,
  type oas31,
  type ZodOpenApiMediaTypeObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import { PROBLEM_STATUS, type ProblemCode } from '../../contract/errors.ts';
import { FrameSchema } from '../../contract/frame.ts';
import { InboxFrameSchema } from '../../contract/lists.ts';
import { ProblemSchema } from '../../contract/problem.ts';
import {
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  type RequestHeader,
  type ResponseHeader,
} from '../http/headers.ts';
import type { AnswerNote, Route } from '../http/route.ts';
import { TAGS } from '../http/tags.ts';
import { EXAMPLES } from './examples.ts';
import type { OpenApiDocument } from './openapi-document.ts';
import { pathParameters } from './path-parameters.ts';
import { plainer } from './plainer.ts';
import { SENT_WEBHOOKS } from './sent-webhooks.ts';

const DESCRIPTION =
  'Runs AI agents so that a run is never lost and nothing dangerous happens without a person’s yes. Anything of another org, and anything one may not see, answers as an unknown id does.';

/** `/api/agents/:agentId` as the document writes it. */
export const templateOf = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}');

export function createDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes)
    (paths[templateOf(route.path)] ??= {})[METHOD[route.method]] = operationOf(route);
  const document = assemble(
    {
      openapi: '3.1.1',
      info: {
        title: 'Holdpoint',
        version,
        description: DESCRIPTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      security: [{ bearer: [] }],
      paths,
      webhooks: SENT_WEBHOOKS,
      components: {
        // Routes refer to it from within the text of a stream.
        schemas: { Frame: FrameSchema, InboxFrame: InboxFrameSchema },
        headers: componentHeaders(),
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'Each operation names the scope it needs; none implies another.',
          },
        },
      },
    },
    { override: plainer },
  );
  return document as unknown as OpenApiDocument;
}

const METHOD = { GET: 'get', POST: 'post', DELETE: 'delete' } as const;

function componentHeaders(): Record<string, oas31.HeaderObject> {
  return Object.fromEntries(
    Object.entries(RESPONSE_HEADERS).map(([key, { description }]) => [
      key,
      { description, schema: { type: 'string' } },
    ]),
  );
}

function operationOf(route: Route): ZodOpenApiOperationObject {
  const key = `${route.method} ${templateOf(route.path)}`;
  const description = [route.description, needs(route)].filter((part) => part !== undefined);
  return {
    tags: [route.tag],
    operationId: route.id,
    summary: route.summary,
    ...(description.length === 0 ? {} : { description: description.join('\n\n') }),
    requestParams: {
      path: pathParameters(route.path),
      ...(route.query === undefined ? {} : { query: route.query }),
    },
    parameters: (route.headers ?? []).map(headerParameter),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              'application/json': withExamples({ schema: route.body }, `${key} body`),
              ...(route.form === undefined ? {} : { 'multipart/form-data': formOf(route.form) }),
            },
          },
        }),
    responses: joined(answersOf(route, key), refusalsOf(route, key)),
    security: securityOf(route),
  };
}

/** A form with one file beside its fields. */
const formOf = (fields: z.ZodType): ZodOpenApiMediaTypeObject => ({
  schema: z
    .object({ file: z.string().meta({ format: 'binary', description: 'The file.' }) })
    .and(fields),
});

function headerParameter(key: RequestHeader): oas31.ParameterObject {
  const { name, description, schema } = REQUEST_HEADERS[key];
  return { name, in: 'header', required: false, description, schema: { ...schema } };
}

function needs({ scope }: Route): string | undefined {
  return scope === 'open' || scope === 'token' ? undefined : `Needs the scope \`${scope}\`.`;
}

function securityOf({ scope }: Route): oas31.SecurityRequirementObject[] {
  if (scope === 'open') return [];
  return [{ bearer: scope === 'token' ? [] : [scope] }];
}

const withExamples = (media: ZodOpenApiMediaTypeObject, key: string): ZodOpenApiMediaTypeObject => {
  const examples = EXAMPLES[key];
  return examples === undefined ? media : { ...media, examples: { ...examples } };
};

function answersOf(route: Route, key: string): Record<string, ZodOpenApiResponseObject> {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, answer]) => {
      const { description, headers = [], type = 'application/json' } = answer;
      const schema = answerSchema(answer);
      return [
        status,
        {
          description,
          headers: headersOf(['RequestId', ...countedBy(route), ...headers]),
          ...(schema === undefined
            ? {}
            : { content: { [type]: withExamples({ schema }, `${key} ${status}`) } }),
        },
      ];
    }),
  );
}

const answerSchema = ({ type, schema }: AnswerNote): z.ZodType | undefined =>
  type === 'text/event-stream' ? streamOf(schema) : schema;

/** Text of which each `data:` line has the schema. */
const streamOf = (schema: z.ZodType | undefined): z.ZodType =>
  z.string().meta({
    contentMediaType: 'text/event-stream',
    contentSchema: { $ref: `#/components/schemas/${schema?.meta()?.id ?? 'Frame'}` },
  });

const countedBy = ({ scope }: Route): readonly ResponseHeader[] =>
  scope === 'open' ? [] : ['RateLimitPolicy', 'RateLimit'];

const headersOf = (names: readonly ResponseHeader[]): oas31.HeadersObject =>
  Object.fromEntries(
    names.map((name) => [RESPONSE_HEADERS[name].name, { $ref: `#/components/headers/${name}` }]),
  );

/** What has a token is counted, whatever it asks for. */
const TOO_MANY = ['TOO_MANY_REQUESTS', 'TOO_MANY_OPEN_REQUESTS'] as const;

/** Those that follow from what the route asks for, and its own. */
const codesOf = ({ scope, body, refusals = [] }: Route): readonly ProblemCode[] => [
  'INVALID_REQUEST',
  ...(scope === 'open' ? [] : ([...TOO_MANY, 'UNAUTHENTICATED', 'UNAVAILABLE'] as const)),
  ...(scope === 'open' || scope === 'token' ? [] : (['INSUFFICIENT_SCOPE'] as const)),
  ...(body === undefined
    ? []
    : (['MALFORMED_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
  ...refusals,
  'INTERNAL',
];

type Responses = Record<string, ZodOpenApiResponseObject>;

/** A status that is answered and refused with has both contents. */
function joined(answers: Responses, refusals: Responses): Responses {
  const both = Object.entries(refusals).flatMap(([status, refusal]) => {
    const answer = answers[status];
    if (answer === undefined) return [];
    const description = `${answer.description} Or ${refusal.description}`;
    const content = { ...answer.content, ...refusal.content };
    return [[status, { ...refusal, description, content }] as const];
  });
  return { ...answers, ...refusals, ...Object.fromEntries(both) };
}

/** One answer a status, with the codes it may carry. */
function refusalsOf(route: Route, key: string): Record<string, ZodOpenApiResponseObject> {
  const codes = [...new Set(codesOf(route))];
  const statuses = [...new Set(codes.map((code) => PROBLEM_STATUS[code]))].toSorted(
    (a, b) => a - b,
  );
  return Object.fromEntries(
    statuses.map((status) => {
      const which = codes.filter((code) => PROBLEM_STATUS[code] === status);
      const headers: ResponseHeader[] = ['RequestId', ...(status === 401 ? [] : countedBy(route))];
      if (status === 401 || status === 403) headers.push('WwwAuthenticate');
      if (status === 429 || status === 503) headers.push('RetryAfter');
      const content = withExamples({ schema: ProblemSchema }, `${key} ${status}`);
      return [
        String(status),
        {
          description: which.map((code) => `\`${code}\``).join(', '),
          headers: headersOf(headers),
          content: { 'application/problem+json': content },
        },
      ];
    }),
  );
}
