import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  AbortError,
  ApiProblem,
  ConnectionError,
  createHoldpoint,
  HoldpointError,
  type Holdpoint,
} from '../../client/holdpoint.ts';
import { PROBLEM_STATUS } from '../../src/contract/errors.ts';
import { atExit } from '../rig/at-exit.ts';

type Answers = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

/** A server that answers as a test says; what it was asked stands in `asked`. */
async function serverOf(answers: Answers, token: string | (() => string) = 't') {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) =>
    answers(request, response, asked.push(request)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atExit(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { asked, holdpoint: createHoldpoint({ baseUrl: `http://127.0.0.1:${port}`, token }) };
}
const say = (response: ServerResponse, status: number, type: string, text: string): void => {
  response.writeHead(status, { 'Content-Type': type, Connection: 'close' });
  response.end(text);
};
const RUN = { runId: 'run_1', agentId: 'guard', status: 'COMPLETED' };
const tellRun = (response: ServerResponse): void =>
  say(response, 200, 'application/json', JSON.stringify(RUN));
const frame = (id: string, event: string, data: unknown): string =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify({ event, data, timestamp: 0, turn: 0 })}\n\n`;
/** No key, so it is asked once. */
const start = (holdpoint: Holdpoint) =>
  holdpoint.api.POST('/api/agents/{agentId}/runs', {
    params: { path: { agentId: 'guard' } },
    body: { message: 'Hello' },
  });
const failureOf = async (ask: Promise<unknown>): Promise<HoldpointError> => {
  const error = await ask.then(
    () => undefined,
    (e: unknown) => e,
  );
  return error instanceof HoldpointError ? error : assert.fail(`no error of the client: ${error}`);
};

describe('the errors of the client', () => {
  it('every code of the API has a class of its own kind, and none is recognised by its message', async () => {
    const codes = Object.entries(PROBLEM_STATUS);
    const { holdpoint } = await serverOf((_, response, nth) => {
      const [code = '', status = 0] = codes[nth - 1] ?? [];
      const problem = { code, status, detail: 'No.', requestId: 'r-1' };
      say(response, status, 'application/problem+json', JSON.stringify(problem));
    });
    const told: Record<string, string> = {};
    for (const [code, status] of codes) {
      const error = await failureOf(start(holdpoint));
      assert.ok(error instanceof ApiProblem);
      assert.deepEqual([error.code, error.status, error.requestId], [code, status, 'r-1']);
      told[status] = error.name;
    }
    assert.deepEqual(told, {
      ...{ 400: 'InvalidRequestError', 401: 'UnauthorizedError', 403: 'ForbiddenError' },
      ...{ 404: 'NotFoundError', 405: 'UnexpectedAnswerError', 409: 'ConflictError' },
      ...{ 410: 'GoneError', 412: 'HashMismatchError', 413: 'TooLargeError' },
      ...{ 415: 'UnexpectedAnswerError', 422: 'KeyReusedError', 428: 'CallIdRequiredError' },
      ...{ 429: 'RateLimitedError', 500: 'ServerError', 503: 'UnavailableError' },
    });
  });

  it('a page of something in between is no refusal of the API, and no run', async () => {
    const answers = [404, 401, 200, 502].map((status) => [status, '<html>…</html>'] as const);
    const { holdpoint } = await serverOf((_, response, nth) => {
      const [status, text] = answers[nth - 1] ?? assert.fail();
      say(response, status, 'text/html', text);
    });
    const names = [];
    for (const _ of answers) names.push((await failureOf(start(holdpoint))).name);
    assert.deepEqual(names, [
      ...['UnexpectedAnswerError', 'UnexpectedAnswerError', 'UnexpectedAnswerError'],
      'UnavailableError',
    ]);
    const page = await serverOf((_, response) => say(response, 200, 'text/html', '<html>'));
    const { name } = await failureOf(page.holdpoint.join('guard', 'run_1').next());
    assert.deepEqual([name, page.asked.length], ['UnexpectedAnswerError', 1]);
  });

  it('an answer that is cut, and a server that is not there, are lost connections', async () => {
    const { holdpoint } = await serverOf((_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '100' });
      response.write('{"runId":', () => response.destroy());
    });
    assert.ok((await failureOf(start(holdpoint))) instanceof ConnectionError);
  });

  it('Retry-After is read in seconds and as a date, waited for up to a minute, and reported beyond it', async () => {
    const { holdpoint, asked } = await serverOf((_, response, nth) => {
      if (nth === 2) return tellRun(response);
      const date = new Date(Date.now() + 3_600_000).toUTCString();
      response.setHeader('Retry-After', nth === 1 ? '0' : date);
      say(response, nth === 1 ? 503 : 429, 'text/plain', '');
    });
    assert.equal((await holdpoint.run('guard', { message: 'Hello' })).status, 'COMPLETED');
    const error = await failureOf(holdpoint.run('guard', { message: 'Hello' }));
    assert.ok(error instanceof ApiProblem && error.name === 'RateLimitedError');
    assert.ok((error.retryAfterMs ?? 0) > 3_500_000, 'an hour');
    const keys = asked.map(({ headers }) => headers['idempotency-key']);
    assert.ok(keys[0] === keys[1] && keys[1] !== keys[2] && keys.length === 3);
  });

  it('a retry of a run carries a key, and is sent again with it', async () => {
    const { holdpoint, asked } = await serverOf((_, response, nth) =>
      nth === 1 ? response.destroy() : tellRun(response),
    );
    assert.equal((await holdpoint.retry('guard', 'run_1')).status, 'COMPLETED');
    const [first, second] = asked.map(({ method, url, headers }) => [
      `${method} ${url}`,
      headers['idempotency-key'],
    ]);
    assert.deepEqual(first, second);
    assert.equal(first?.[0], 'POST /api/agents/guard/runs/run_1/retry');
    assert.ok(first?.[1]);
  });

  it('what the caller’s own token function throws comes through as it is, once', async () => {
    const signedOut = new Error('signed out');
    let times = 0;
    const { holdpoint, asked } = await serverOf(
      (_, response) => tellRun(response),
      () => {
        times += 1;
        throw signedOut;
      },
    );
    for (const ask of [() => holdpoint.inbox(), () => holdpoint.followInbox().next()])
      await assert.rejects(ask, (error) => error === signedOut);
    assert.deepEqual([times, asked.length], [2, 0]);
  });

  it('a caller who leaves while the client waits to ask again is let go at once', async () => {
    const leaving = new AbortController();
    const { holdpoint } = await serverOf((_, response) => {
      response.setHeader('Retry-After', '50');
      say(response, 503, 'text/plain', '');
      setImmediate(() => leaving.abort('enough'));
    });
    const error = await failureOf(holdpoint.inbox({ signal: leaving.signal }));
    assert.ok(error instanceof AbortError && error.cause === 'enough');
  });

  it('a stream that is cut before it brought anything goes on after what it was begun with', async () => {
    const { holdpoint, asked } = await serverOf((_, response, nth) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      if (nth === 1) response.write(':\n\n', () => response.destroy());
      else response.end(frame('9.0', 'STOP', RUN));
    });
    for await (const { id } of holdpoint.join('guard', 'run_1', { after: '8.0' }))
      assert.equal(id, '9.0');
    assert.deepEqual(
      asked.map(({ headers }) => headers['last-event-id']),
      ['8.0', '8.0'],
    );
  });

  it('a stream goes on behind an error that a retry has followed, and ends with one that it has not', async () => {
    const error = frame('2.0', 'ERROR', { code: 'INTERNAL', message: 'No.' });
    const { holdpoint } = await serverOf((_, response, nth) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.end(nth === 1 ? error : error + frame('3.0', 'STOP', RUN));
    });
    const told = [];
    for (const _ of [1, 2])
      for await (const { event } of holdpoint.join('guard', 'run_1')) told.push(event);
    assert.deepEqual(told, ['ERROR', 'ERROR', 'STOP']);
  });
});
