// What must hold of an HTTP tool's declaration so that no call can fail by it: address, places,
// headers, secrets, input schema.

import type { HttpCall } from '../contract/agent.ts';
import { argumentNames, fillPlaces, fillSecrets, secretNames, splitUrl } from '../tools/places.ts';
import { compileSchema, type InputSchema } from '../tools/input-schema.ts';
import type { FileProblem, Path } from './file-problem.ts';

interface HttpDeclaration {
  readonly input: InputSchema;
  readonly http: HttpCall;
}
export interface Secrets {
  readonly secretProblem: (name: string) => string | undefined;
  readonly secret: (name: string) => string | undefined;
}

export function httpToolProblems(
  { input, http }: HttpDeclaration,
  path: Path,
  secrets: Secrets,
): readonly FileProblem[] {
  return [
    ...inputProblems(input).map((message) => ({ path: [...path, 'input'], message })),
    ...addressProblems(http, input, secrets).map((message) => ({
      path: [...path, 'http', 'url'],
      message,
    })),
    ...headerProblems(http.headers, secrets, [...path, 'http', 'headers']),
    ...(http.method === 'GET' || http.method === 'DELETE'
      ? queryProblems(input, [...path, 'input', 'properties'])
      : []),
  ];
}

function inputProblems(input: InputSchema): readonly string[] {
  const compiled = compileSchema(input);
  if (!compiled.ok) return [`is not a valid JSON Schema: ${compiled.problem}`];
  return input['type'] === 'object' ? [] : ['must have "type: object": arguments are an object'];
}

export function addressProblems(
  http: Pick<HttpCall, 'url'>,
  input: InputSchema,
  secrets: Secrets,
): readonly string[] {
  const { origin, path, query } = splitUrl(http.url);
  const properties = propertiesOf(input);
  const named = [...secretNames(http.url)].flatMap((name) => secrets.secretProblem(name) ?? []);
  const places = [...argumentNames(path), ...argumentNames(query)]
    .filter((name) => !Object.hasOwn(properties, name))
    .map((name) => `has the place {${name}}, but the input has no such property`);
  const misplaced = argumentNames(origin).map(
    (name) => `has the place {${name}} in the host: arguments stand in the path or the query`,
  );
  const problems = [...new Set([...named, ...places, ...misplaced])];
  if (problems.length > 0) return problems;
  const filled = fillPlaces(
    http.url,
    (name) => secrets.secret(name) ?? '',
    () => 'x',
  );
  const valid = URL.canParse(filled) && /^https?:$/.test(new URL(filled).protocol);
  return valid ? [] : ['must be an http or https address'];
}

/** Set by Holdpoint for every call, or following from what is sent. */
const TAKEN = [
  'idempotency-key',
  'x-holdpoint-run',
  'x-holdpoint-org',
  'x-holdpoint-user',
  'content-length',
  'transfer-encoding',
  'connection',
];

export function headerProblems(
  headers: HttpCall['headers'],
  secrets: Secrets,
  path: Path,
): readonly FileProblem[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const problem = headerProblem(name, value, secrets);
    return problem === undefined ? [] : [{ path: [...path, name], message: problem }];
  });
}

function headerProblem(name: string, value: string, secrets: Secrets): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return 'is not a header name';
  if (TAKEN.includes(name.toLowerCase())) return 'is set by Holdpoint itself';
  const secretProblem = secretNames(value).flatMap(
    (secret) => secrets.secretProblem(secret) ?? [],
  )[0];
  if (secretProblem !== undefined) return secretProblem;
  const filled = fillSecrets(value, (secret) => secrets.secret(secret) ?? '');
  return /[^\t\x20-\x7e\x80-\xff]/.test(filled)
    ? 'has a character that no header may hold'
    : undefined;
}

function queryProblems(input: InputSchema, path: Path): readonly FileProblem[] {
  return Object.entries(propertiesOf(input))
    .filter(([, schema]) => isObjectSchema(schema) || isObjectSchema(asRecord(schema)['items']))
    .map(([name]) => ({
      path: [...path, name],
      message: 'is an object, which cannot stand in a query: use POST, PUT or PATCH',
    }));
}

const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};

const propertiesOf = (input: InputSchema): Readonly<Record<string, unknown>> =>
  asRecord(input['properties']);

const isObjectSchema = (schema: unknown): boolean => {
  const { type, properties } = asRecord(schema);
  return (
    type === 'object' ||
    (Array.isArray(type) && type.includes('object')) ||
    properties !== undefined
  );
};
