import assert from 'node:assert/strict';
import { tellsNothing, type Heard } from './tells-nothing.ts';

function refusal(
  change: Record<string, unknown> = {},
  headers: Record<string, string | undefined> = {},
): Heard {
  const body = {
    ...{
      type: 'urn:holdpoint:problem:NOT_FOUND',
      title: 'Not found',
      status: 404,
      detail: 'There is nothing at this address.',
    },
    ...{ instance: 'urn:request:r-1', code: 'NOT_FOUND', requestId: 'r-1' },
    ...change,
  };
  const all = {
    'content-type': 'application/problem+json; charset=utf-8',
    'x-request-id': 'r-1',
    ...headers,
  };
  return { method: 'GET', status: 404, headers: all, text: JSON.stringify(body) };
}

describe('what is looked at in every refusal', () => {
  it('lets a problem pass that says what to do and nothing of the inside', () => {
    tellsNothing(refusal());
    for (const detail of [
      'The query is not valid: from must be a time (RFC 3339, for example 2026-01-31T12:00:00Z) or a date (2026-01-31).',
      'lea approved this call on 2026-11-27T08:05:17.123Z; take another one of the runs that wait.',
      'The database cannot be reached right now. Try again.',
    ])
      tellsNothing(refusal({ detail }));
    tellsNothing({ method: 'DELETE', status: 204, headers: {}, text: '' });
  });

  it('finds each kind of leak', () => {
    for (const detail of [
      'boom\n    at Object.run (file:///srv/app/src/x.ts:3:4)',
      'boom at async answer (route.ts)',
      'Cannot find module in node_modules',
      'TypeError: x is not a function',
      'ZodError',
      'select * from runs where org_id = 1',
      'could not insert into runs',
      'update runs set status',
      'relation "runs" does not exist',
      'the table idempotency_keys is locked',
      'no such file: /etc/holdpoint/agents',
      'no such file: /home/ada/x',
      'connect to 10.1.2.3 failed',
      'connect to db.example:5432 failed',
      'localhost does not answer',
      'connect ECONNREFUSED',
      'HPE_INVALID_METHOD',
      'postgres://me:pw@db/x',
      'Koa says no',
      'PostgreSQL 16 says no',
      'in version 24.1.0',
      process.cwd(),
    ])
      assert.throws(() => tellsNothing(refusal({ detail })), assert.AssertionError, detail);
  });

  it('finds a body, a type or a header that a problem does not have', () => {
    const wrong: readonly Heard[] = [
      refusal({ stack: 'x' }),
      refusal({ code: 'NO_SUCH_CODE' }),
      refusal({ status: 400 }),
      refusal({ detail: '' }),
      refusal({ requestId: 'r-2' }),
      refusal({}, { 'content-type': 'text/plain' }),
      refusal({}, { server: 'nginx' }),
      refusal({}, { 'x-powered-by': 'Express' }),
      refusal({}, { 'x-debug': '10.1.2.3' }),
      { ...refusal(), status: 302 },
      { method: 'GET', status: 200, headers: { 'x-powered-by': 'koa' }, text: '' },
      { method: 'HEAD', status: 404, headers: { 'content-type': 'text/html' }, text: '' },
    ];
    for (const one of wrong)
      assert.throws(() => tellsNothing(one), assert.AssertionError, JSON.stringify(one));
    assert.throws(() => tellsNothing({ ...refusal(), text: '<html>Not found</html>' }));
  });
});
