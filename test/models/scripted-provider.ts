// A provider that does exactly what a test says: it hands every request to a script, and records
// what it saw.

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOpenAiModel } from '../../src/models/openai/adapter.ts';
import type { ModelTimeouts } from '../../src/models/openai/call.ts';
import {
  ModelError,
  type ModelDelta,
  type ModelFault,
  type ModelReply,
  type ModelRequest,
} from '../../src/models/model.ts';

export type Script = (res: ServerResponse, req: IncomingMessage) => void | Promise<void>;

export interface Seen {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
  /** Resolves when the connection of this request is gone. */
  readonly closed: Promise<void>;
}

export interface ScriptedProvider {
  readonly url: string;
  readonly seen: readonly Seen[];
  script: Script;
  /** One call against it, with the deltas as they came. */
  call(
    options?: CallOptions,
  ): Promise<{ readonly reply: ModelReply; readonly deltas: readonly ModelDelta[] }>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly request?: Partial<ModelRequest>;
  readonly signal?: AbortSignal;
  readonly timeouts?: Partial<ModelTimeouts>;
  readonly apiKey?: string;
  readonly onDelta?: (delta: ModelDelta) => void;
}

export async function startScriptedProvider(): Promise<ScriptedProvider> {
  const seen: Seen[] = [];
  const server = createServer((req, res) => {
    const pieces: Buffer[] = [];
    req.on('data', (piece: Buffer) => pieces.push(piece));
    req.on('end', () => {
      const text = Buffer.concat(pieces).toString();
      seen.push({
        url: req.url ?? '',
        authorization: req.headers.authorization,
        body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
        closed: new Promise((done) => res.once('close', () => done())),
      });
      void provider.script(res, req);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const provider: ScriptedProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    seen,
    script: (res) => void res.writeHead(500).end(),
    async call({ request, signal, timeouts, apiKey = 'sk-secret', onDelta } = {}) {
      const deltas: ModelDelta[] = [];
      const model = createOpenAiModel({
        baseUrl: provider.url,
        apiKey,
        ...(timeouts === undefined ? {} : { timeouts }),
      });
      const reply = await model.stream(
        { model: 'gpt-4o', messages: [{ role: 'user', text: 'Hello' }], tools: [], ...request },
        {
          signal: signal ?? new AbortController().signal,
          onDelta: (delta) => (deltas.push(delta), onDelta?.(delta)),
        },
      );
      return { reply, deltas };
    },
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
  return provider;
}

export const sse = (res: ServerResponse): void =>
  void res.writeHead(200, { 'content-type': 'text/event-stream' });
export const event = (res: ServerResponse, data: unknown): void =>
  void res.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
export const delta = (res: ServerResponse, piece: object, finish: string | null = null): void =>
  event(res, {
    id: 'c',
    object: 'chat.completion.chunk',
    model: 'gpt-4o-2024-08-06',
    choices: [{ index: 0, delta: piece, finish_reason: finish }],
  });
export const done = (res: ServerResponse): void => void res.end('data: [DONE]\n\n');

/** A whole answer: the pieces, the finish reason, the usage where there is one. */
export const answer =
  (pieces: readonly object[], finish: string | null = 'stop', usage?: object): Script =>
  (res) => {
    sse(res);
    for (const piece of pieces) delta(res, piece);
    if (finish !== null) delta(res, {}, finish);
    if (usage !== undefined) event(res, { choices: [], usage });
    done(res);
  };

export const fails =
  (status: number, body: unknown, headers: Record<string, string> = {}): Script =>
  (res) =>
    void res
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(typeof body === 'string' ? body : JSON.stringify(body));

/** The call fails with that fault, in a sentence that shows neither host nor key nor stack. */
export async function expectFault(
  provider: ScriptedProvider,
  fault: ModelFault,
  retryable: boolean,
  options?: CallOptions,
): Promise<ModelError> {
  const error = await provider.call(options).then(
    () => assert.fail('the call went well'),
    (e: unknown) => e,
  );
  assert.ok(error instanceof ModelError, String(error));
  assert.doesNotMatch(error.message, /127\.0\.0\.1|localhost|sk-secret|node_modules|at file/);
  assert.deepEqual([error.fault, error.retryable], [fault, retryable], error.message);
  return error;
}

/** A fragment of a tool call; what is undefined is not sent. */
export const callPart = (
  index: number | undefined,
  id: string | undefined,
  name: string | undefined,
  text: string,
): object => ({
  tool_calls: [
    {
      ...(index === undefined ? {} : { index }),
      ...(id === undefined ? {} : { id }),
      type: 'function',
      function: { ...(name === undefined ? {} : { name }), arguments: text },
    },
  ],
});
