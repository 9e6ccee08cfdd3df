// The headers that requests and answers of this API carry, each described once. Routes name them;
// the OpenAPI document shows them.

import { POSITION } from '../../contract/position.ts';

/**
 * As idempotency-key.ts reads it: printable, and within quotes with a backslash before each quote
 * and backslash.
 */
const IDEMPOTENCY_KEY = String.raw`^(?:[!#-~](?:[ -~]{0,253}[!-~])?|"(?:[ !#-\[\]-~]|\\["\\]){1,255}")$`;

export const REQUEST_HEADERS = {
  IdempotencyKey: {
    name: 'Idempotency-Key',
    description:
      'At most 255 characters, bare or quoted. The same key with the same body never starts or votes again: it answers the run as it stands. Kept at least 24 hours after the run’s end. Where the run was deleted with its session: 404.',
    schema: { type: 'string' as const, pattern: IDEMPOTENCY_KEY },
  },
  Prefer: {
    name: 'Prefer',
    description:
      '`wait=N`: answer after N seconds at the latest. `respond-async`: at once. Both: after N seconds. A malformed one is ignored.',
    schema: { type: 'string' as const },
  },
  LastEventId: {
    name: 'Last-Event-ID',
    description: 'Go on after this frame. Empty: from the beginning.',
    schema: { type: 'string' as const, pattern: `${POSITION.source}|^$`, examples: ['3.0'] },
  },
};
export type RequestHeader = keyof typeof REQUEST_HEADERS;

export const RESPONSE_HEADERS = {
  RequestId: {
    name: 'X-Request-Id',
    description: 'Echoed where it is short and safe, else made.',
  },
  Location: { name: 'Location', description: 'Where what was made is read.' },
  ContentLocation: { name: 'Content-Location', description: 'The run that this is.' },
  RetryAfter: { name: 'Retry-After', description: 'Seconds to leave it alone.' },
  RateLimitPolicy: {
    name: 'RateLimit-Policy',
    description: 'How many requests (`q`) a `user` and their `org` may make in `w` seconds.',
  },
  RateLimit: {
    name: 'RateLimit',
    description: 'How many of them are left (`r`), and in how many seconds there are more (`t`).',
  },
  PreferenceApplied: {
    name: 'Preference-Applied',
    description: 'What of `Prefer` was honoured.',
  },
  IdempotencyReplayed: {
    name: 'Idempotency-Replayed',
    description: '`true`: nothing was started or voted, this is the earlier run as it stands.',
  },
  Link: { name: 'Link', description: '`rel="next"`: the next page, where there is one.' },
  WwwAuthenticate: {
    name: 'WWW-Authenticate',
    description: '`Bearer`, and what is wrong with the token.',
  },
} as const;
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;
