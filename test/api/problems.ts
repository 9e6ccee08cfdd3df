// What every refusal must look like, in one assertion.

import assert from 'node:assert/strict';
import type { Reply } from './api-rig.ts';

export function isProblem(reply: Reply, status: number, code: string): Reply {
  assert.equal(reply.status, status, reply.text);
  assert.match(reply.headers['content-type'] ?? '', /^application\/problem\+json/);
  const { requestId } = reply.json;
  assert.equal(reply.headers['x-request-id'], requestId);
  assert.equal(reply.json.code, code, reply.text);
  assert.equal(reply.json.type, `urn:holdpoint:problem:${code}`);
  assert.equal(reply.json.status, status);
  assert.equal(reply.json.instance, `urn:request:${requestId}`);
  for (const key of ['title', 'detail']) assert.ok(reply.json[key].length > 5, key);
  assert.doesNotMatch(reply.text, /\bat \S+ \(|node_modules|\/work\/|select |TypeError|ZodError|ECONN/);
  if (status === 401) assert.match(reply.headers['www-authenticate'] ?? '', /^Bearer/);
  if (status === 405) assert.ok(reply.headers.allow);
  if (status === 503) assert.ok(Number(reply.headers['retry-after']) >= 0);
  return reply;
}

/** A body without the request's id, to be compared byte for byte. */
export const bare = (reply: Reply): string =>
  `${reply.status} ${Object.keys(reply.headers).toSorted().join()} ${reply.text.replaceAll(reply.json.requestId, 'ID')}`;
