// That a refusal is the one that was to come. What holds for every refusal alike, the rig has
// looked at: test/rig/tells-nothing.ts.

import assert from 'node:assert/strict';
import type { Reply } from './api-rig.ts';

export function isProblem(reply: Reply, status: number, code: string): Reply {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.json.code, code, reply.text);
  if (status === 401) assert.match(reply.headers['www-authenticate'] ?? '', /^Bearer/);
  if (status === 405) assert.ok(reply.headers.allow);
  if (status === 503) assert.ok(Number(reply.headers['retry-after']) >= 0);
  return reply;
}

/** A body without the request's id, to be compared byte for byte. */
export const bare = (reply: Reply): string =>
  `${reply.status} ${Object.keys(reply.headers).toSorted().join()} ${reply.text.replaceAll(reply.json.requestId, 'ID')}`;
