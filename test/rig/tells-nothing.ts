// Every refusal that a test provokes, whatever the test is about, goes through this: it is a
// problem of the one shape, and says nothing of the inside. Called by the helpers that make
// requests, so that no test can forget it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PROBLEM_STATUS } from '../../src/contract/errors.ts';

export interface Heard {
  readonly method: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MIGRATIONS = `${ROOT}src/store/database/migrations/`;
/**
 * Of the tables' names, those that are no words of English too: runs, calls and votes are what
 * problems speak of.
 */
const TABLES = readdirSync(MIGRATIONS)
  .flatMap((file) => [
    ...readFileSync(`${MIGRATIONS}${file}`, 'utf8').matchAll(/create table (\w+_\w+)/g),
  ])
  .map(([, name]) => name);

const INSIDE: Readonly<Record<string, RegExp>> = {
  'a stack':
    /\bat (?:async |new )?[\w.$<>]+ \(|\bat (?:file:|node:|\/)|node:internal|\.[cm]?[jt]s:\d+/,
  'a package':
    /node_modules|@temporalio|\b(?:kysely|pglite|koa|zod|openai|undici|ajv|nodejs)\b|\bpg[-_]\w+/i,
  'a version': /\b(?:v?\d+\.\d+\.\d+(?:-\w+)?)\b(?!\.\d)|node\/\d|PostgreSQL \d/i,
  'a class': /\b(?!Error\b)[A-Z][A-Za-z]+(?:Error|Exception|Failure)\b|\[object /,
  SQL: /\b(?:select\b[^"]{1,200}\bfrom|insert into|update \w+ set|delete from|(?:alter|create|drop) table|where \w+ ?=|returning \w+|for update)\b|\$\d\b/i,
  'a database’s words':
    /\b(?:relation|column|constraint|sqlstate|syntax error at or near|row-level|violates|duplicate key value|holdpoint_service)\b/i,
  'a table': new RegExp(`\\b(?:${TABLES.join('|')})\\b`, 'i'),
  'a path':
    /(?:^|[\s"'(=:,])\/(?:app|dev|etc|home|lib|mnt|opt|private|proc|root|run|srv|sys|tmp|Users|usr|var|work)\/|[A-Z]:\\|file:\/\//,
  'this folder': new RegExp(ROOT.slice(0, -1).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')),
  'an address':
    /\b(?:\d{1,3}\.){3}\d{1,3}\b|\[?::1\b|::ffff:|\blocalhost\b|[a-z][\w.-]*:\d{3,5}\b|\b(?:postgres(?:ql)?|https?|grpc):\/\//i,
  'a code of the system':
    /\bE(?:AI_|CONN|NOTFOUND|PIPE|TIMEDOUT|HOST|NET|NOENT|ACCES|ADDR|MFILE)\w*|\b(?:HPE|ERR|UND_ERR)_\w+/,
};

const FIELDS = new Set([
  'type',
  'title',
  'status',
  'detail',
  'instance',
  'code',
  'requestId',
  'runId',
  'errors',
]);
/** What names the software that answers; nobody's business in any answer. */
const TELLING = [
  'server',
  'x-powered-by',
  'via',
  'x-runtime',
  'x-aspnet-version',
  'x-generator',
  'x-koa-version',
];

/** Throws where an answer tells of the inside, or is a refusal and no problem. */
export function tellsNothing({ method, status, headers, text }: Heard): void {
  for (const name of TELLING)
    assert.equal(
      headers[name],
      undefined,
      `${status} has the header ${name}: ${String(headers[name])}`,
    );
  if (status < 300) return;
  const shown = `${method} ${status}: ${text.slice(0, 500)}`;
  if (status === 304) return assert.equal(text, '', shown);
  assert.ok(status >= 400, `nothing here redirects: ${shown}`);
  if (isRpcError(headers, text)) return tellsNoInside(text, headers, shown);
  assert.match(String(headers['content-type']), /^application\/problem\+json(?:;|$)/, shown);
  if (method === 'HEAD') return assert.equal(text, '', shown);

  const body = JSON.parse(text) as Record<string, unknown>;
  assert.deepEqual(
    Object.keys(body).filter((field) => !FIELDS.has(field)),
    [],
    shown,
  );
  const { code, requestId } = body;
  assert.ok(typeof code === 'string' && Object.hasOwn(PROBLEM_STATUS, code), shown);
  assert.equal(headers['x-request-id'], requestId, shown);
  const fixed = { type: body['type'], status: body['status'], instance: body['instance'] };
  assert.deepEqual(
    fixed,
    { type: `urn:holdpoint:problem:${code}`, status, instance: `urn:request:${String(requestId)}` },
    shown,
  );
  for (const field of ['title', 'detail'])
    assert.ok(
      String(body[field] ?? '').length > 5,
      `${field} is ${String(body[field])} in ${shown}`,
    );

  // The request's id is the caller's own, or random.
  tellsNoInside(JSON.stringify({ ...body, instance: '', requestId: '' }), headers, shown);
}

/** What JSON-RPC refuses is said its own way, and as little tells of the inside. */
const isRpcError = (headers: Heard['headers'], text: string): boolean =>
  /^application\/json(?:;|$)/.test(String(headers['content-type'])) &&
  /^\{"jsonrpc":"2\.0",.*"error":/.test(text);

function tellsNoInside(said: string, headers: Heard['headers'], shown: string): void {
  const told = [
    said,
    // The origin that is let in is told back to itself.
    ...Object.entries(headers).flatMap(([name, value]) =>
      /^(?:x-request-id$|access-control-)/.test(name) ? [] : String(value),
    ),
  ];
  for (const [what, pattern] of Object.entries(INSIDE))
    for (const one of told) assert.doesNotMatch(one, pattern, `${what} is told by ${shown}`);
}

/** The same of a `fetch` answer, which stays unread. */
export async function watchedFetch(...request: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(...request);
  if (response.status < 300) return response;
  const method = request[1]?.method ?? (request[0] instanceof Request ? request[0].method : 'GET');
  tellsNothing({
    method,
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text: await response.clone().text(),
  });
  return response;
}
