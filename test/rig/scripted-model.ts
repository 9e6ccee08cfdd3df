// An OpenAI-compatible server that does what the test's function says for each request, streamed,
// with every fault a provider shows. Records what it was asked and which requests their caller gave
// up.

import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodyOf, serve } from './http-server.ts';

export interface ModelMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
  readonly tool_call_id?: string;
}
export interface ModelRequestBody {
  readonly model: string;
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly [option: string]: unknown;
}
export interface Reply {
  readonly text?: string;
  /** Instead of `text`: piece by piece. */
  readonly chunks?: readonly { readonly text: string; readonly delayMs?: number }[];
  readonly reasoning?: string;
  /** `args` as a string is sent as it stands, broken JSON included. */
  readonly toolCalls?: readonly {
    readonly id?: string;
    readonly name: string;
    readonly args: unknown;
  }[];
  /** null: the provider reports none. Default: 10 and 5. */
  readonly usage?: { readonly prompt: number; readonly completion: number } | null;
  /** With `status` or `body`, nothing is streamed. */
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly delayMs?: number;
  /** Breaks the connection: before the first chunk, or after the last one without an end. */
  readonly cut?: 'before' | 'mid';
  /** Falls silent instead. */
  readonly hang?: 'before' | 'mid';
  /** null: the stream ends without one. */
  readonly finish?: string | null;
}
export interface RecordedRequest {
  readonly n: number;
  readonly body: ModelRequestBody;
  readonly headers: IncomingHttpHeaders;
  /** The caller closed the connection before the reply was whole. */
  aborted: boolean;
}
export interface ScriptedModel {
  /** For OPENAI_BASE_URL. */
  readonly url: string;
  readonly requests: readonly RecordedRequest[];
  readonly aborts: () => number;
  readonly close: () => Promise<void>;
}
export type OnRequest = (body: ModelRequestBody, n: number) => Reply | Promise<Reply>;

async function stream(
  response: ServerResponse,
  reply: Reply,
  { body, n }: RecordedRequest,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', ...reply.headers });
  response.flushHeaders();
  const send = (part: object): void => {
    response.write(
      `data: ${JSON.stringify({ id: `chatcmpl-${n}`, object: 'chat.completion.chunk', created: 1, model: body.model, ...part })}\n\n`,
    );
  };
  const delta = (value: object, finish: string | null = null): void =>
    send({ choices: [{ index: 0, delta: value, finish_reason: finish }] });
  if (reply.hang === 'before')
    return void (await new Promise((done) => response.once('close', done)));
  if (reply.cut === 'before') return void response.socket?.destroy();
  delta({ role: 'assistant', content: '' });
  if (reply.reasoning !== undefined) delta({ reasoning_content: reply.reasoning });
  for (const { text, delayMs = 0 } of reply.chunks ??
    (reply.text === undefined ? [] : [{ text: reply.text }])) {
    if (delayMs > 0) await sleep(delayMs);
    if (response.destroyed) return;
    delta({ content: text });
  }
  for (const [index, { id, name, args }] of (reply.toolCalls ?? []).entries()) {
    const text = typeof args === 'string' ? args : JSON.stringify(args);
    const half = Math.ceil(text.length / 2);
    delta({
      tool_calls: [
        {
          index,
          id: id ?? `scripted_${n}_${index}`,
          type: 'function',
          function: { name, arguments: text.slice(0, half) },
        },
      ],
    });
    if (reply.cut === 'mid' || reply.hang === 'mid') break;
    delta({ tool_calls: [{ index, function: { arguments: text.slice(half) } }] });
  }
  if (reply.hang === 'mid') return void (await new Promise((done) => response.once('close', done)));
  // what was written must have left first
  if (reply.cut === 'mid') return void setTimeout(() => response.socket?.destroy(), 20);
  const finish =
    reply.finish === undefined
      ? (reply.toolCalls?.length ?? 0) > 0
        ? 'tool_calls'
        : 'stop'
      : reply.finish;
  if (finish !== null) delta({}, finish);
  const usage = reply.usage === undefined ? { prompt: 10, completion: 5 } : reply.usage;
  if (usage !== null) {
    const { prompt, completion } = usage;
    send({
      choices: [],
      usage: {
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt + completion,
      },
    });
  }
  response.end('data: [DONE]\n\n');
}

export async function startScriptedModel(onRequest: OnRequest): Promise<ScriptedModel> {
  const requests: RecordedRequest[] = [];
  const server = await serve(async (request, response) => {
    const text = await bodyOf(request);
    if (request.method !== 'POST' || request.url !== '/v1/chat/completions')
      return void response.writeHead(404).end('{}');
    const record: RecordedRequest = {
      n: requests.length + 1,
      body: JSON.parse(text) as ModelRequestBody,
      headers: request.headers,
      aborted: false,
    };
    requests.push(record);
    response.on('close', () => (record.aborted = !response.writableFinished));
    const reply = await onRequest(record.body, record.n);
    if (reply.delayMs !== undefined) await sleep(reply.delayMs);
    if (reply.status !== undefined || reply.body !== undefined) {
      const body =
        reply.body ??
        JSON.stringify({ error: { message: 'scripted', type: 'scripted', code: null } });
      return void response
        .writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers })
        .end(body);
    }
    await stream(response, reply, record);
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    requests,
    aborts: () => requests.filter((request) => request.aborted).length,
    close: server.close,
  };
}
