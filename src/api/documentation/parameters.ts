// Parameters and headers of the OpenAPI document, each described once. Query parameters are listed
// by the routes' own schemas; here is what they mean, and what they are where the schema sees only
// text.

import { POSITION } from '../../contract/position.ts';
import type { JsonSchema } from './schemas.ts';

export interface ParameterNote {
  readonly description: string;
  /** Where it is more than the text that arrives. */
  readonly schema?: JsonSchema;
}

const timeSchema: JsonSchema = {
  anyOf: [
    { type: 'string', format: 'date-time' },
    { type: 'string', format: 'date' },
  ],
};

export const QUERY_NOTES: Readonly<Record<string, ParameterNote>> = {
  limit: {
    description: 'Items of a page.',
    schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
  },
  after: { description: '`nextCursor` of the page before; for events, an event’s id.' },
  wait: {
    description: 'Seconds to wait for the run to settle, up to the server’s maximum.',
    schema: { type: 'integer', minimum: 0 },
  },
  from: {
    description: 'Started at or after this time; a date is the beginning of its day in UTC.',
    schema: timeSchema,
  },
  to: {
    description: 'Started before this time; a date is the end of its day in UTC.',
    schema: timeSchema,
  },
  userId: { description: 'Of this user.' },
  agentId: { description: 'Of this agent.' },
  sessionId: { description: 'Of this session.' },
  requestId: { description: 'Started by the request with this `X-Request-Id`.' },
  status: { description: 'In one of these states, separated by commas.' },
  includeInactive: { description: 'Also agents that are switched off and take no runs.' },
};

export const PATH_NOTES: Readonly<Record<string, ParameterNote>> = {
  agentId: { description: 'The agent’s id.' },
  runId: { description: 'The run’s id. One of another agent is an unknown one.' },
  sessionId: { description: 'The session’s id.' },
};

/**
 * As idempotency-key.ts reads it: printable, and within quotes with a backslash before each quote
 * and backslash.
 */
const IDEMPOTENCY_KEY = String.raw`^(?:[!#-~](?:[ -~]{0,253}[!-~])?|"(?:[ !#-\[\]-~]|\\["\\]){1,255}")$`;

export const REQUEST_HEADERS = {
  IdempotencyKey: {
    ...{
      name: 'Idempotency-Key',
      in: 'header',
      schema: { type: 'string', pattern: IDEMPOTENCY_KEY },
    },
    description:
      'At most 255 characters, bare or quoted. The same key with the same body never starts or votes again: it answers the run as it stands. Kept at least 24 hours after the run’s end. Where the run was deleted with its session: 404.',
  },
  Prefer: {
    ...{ name: 'Prefer', in: 'header', schema: { type: 'string' } },
    description:
      '`wait=N`: answer after N seconds at the latest. `respond-async`: at once. Both: after N seconds. A malformed one is ignored.',
  },
  LastEventId: {
    ...{
      name: 'Last-Event-ID',
      in: 'header',
      schema: { type: 'string', pattern: `${POSITION.source}|^$`, examples: ['3.0'] },
    },
    description: 'Go on after this frame. Empty: from the beginning.',
  },
} as const;
export type RequestHeader = keyof typeof REQUEST_HEADERS;

const text = (description: string) => ({ description, schema: { type: 'string' } }) as const;

export const RESPONSE_HEADERS = {
  RequestId: { header: 'X-Request-Id', ...text('Echoed where it is short and safe, else made.') },
  Location: { header: 'Location', ...text('Where the run is read.') },
  ContentLocation: { header: 'Content-Location', ...text('The run that this is.') },
  RetryAfter: { header: 'Retry-After', ...text('Seconds to leave it alone.') },
  PreferenceApplied: { header: 'Preference-Applied', ...text('What of `Prefer` was honoured.') },
  IdempotencyReplayed: {
    header: 'Idempotency-Replayed',
    ...text('`true`: nothing was started or voted, this is the earlier run as it stands.'),
  },
  Link: { header: 'Link', ...text('`rel="next"`: the next page, where there is one.') },
  WwwAuthenticate: {
    header: 'WWW-Authenticate',
    ...text('`Bearer`, and what is wrong with the token.'),
  },
} as const;
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;
