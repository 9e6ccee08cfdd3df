// A world that does its best to make the product give its secrets away: tools that echo what they
// were sent, a provider whose errors quote the key, and a record of every answer that the API gave.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStream } from '../api/stream-rig.ts';
import { bodyOf, serve } from '../rig/http-server.ts';
import type { ModelRequestBody, Reply } from '../rig/scripted-model.ts';
import { followPlan, openStage, type Stage } from './stage.ts';
import { CANARY } from './canaries.ts';

/** The message that makes the provider fail: `fail 401`. */
const FAILS = /^fail (\d+)$/;

export interface LeakyStage extends Stage {
  /** Everything that a tool was sent, headers included. */
  readonly sent: readonly string[];
}

export async function openLeakyStage(): Promise<LeakyStage> {
  const sent: string[] = [];
  const echo = await serve(async (request, response) => {
    const text = await bodyOf(request);
    const all = JSON.stringify({ address: request.url, headers: request.headers, text });
    sent.push(all);
    if (text.includes('"drop"')) return void response.socket?.destroy();
    response.statusCode = request.url?.startsWith('/fail') === true ? 500 : 200;
    const quoted = [request.headers.authorization, request.headers['x-key'], request.url].map(
      (value) => encodeURIComponent(String(value)),
    );
    response
      .setHeader('x-echo', quoted.join())
      .end(`${all}\n${quoted.join('\n')}\n${request.headers.authorization}\n${request.url}`);
  });
  const answer = (body: ModelRequestBody, n: number): Reply => {
    const question = String(body.messages.findLast((message) => message.role === 'user')?.content);
    const [, status] = FAILS.exec(question) ?? [];
    if (status === undefined) return followPlan(body);
    const sentBy = String(stage.model.requests[n - 1]?.headers.authorization);
    const key = sentBy.replace('Bearer ', '');
    const error = {
      message: `Incorrect API key provided: ${sentBy}`,
      type: key,
      code: key,
      param: key,
    };
    // 200: the error comes within the stream.
    if (status === '200')
      return {
        status: 200,
        body: `data: ${JSON.stringify({ error })}\n\n`,
        headers: { 'content-type': 'text/event-stream' },
      };
    return {
      status: Number(status),
      body: JSON.stringify({ error }),
      headers: { 'x-your-key': key },
    };
  };
  const stage: Stage = await openStage(answer);
  const url = `http://127.0.0.1:${echo.port}`;
  const tool = (name: string, path: string, more: string): string => `  - name: ${name}
    description: The tool ${name}.
    input: { type: object, properties: { note: { type: string } } }
    http: { method: POST, url: "${url}/${path}", headers: { Authorization: "Bearer \${${name.toUpperCase()}_TOKEN}", X-Key: "\${${name.toUpperCase()}_TOKEN}" } }
    ${more}`;
  writeFileSync(
    join(stage.agentsDir, 'keeper.yaml'),
    `id: keeper
name: keeper
description: Keeps secrets.
model: scripted
instructions: Follow the plan.
tools:
${tool('look', 'look', 'readOnly: true')}
${tool('pay', 'pay/${PAY_TOKEN}?key=${PAY_TOKEN}', 'idempotent: false')}
${tool('fail', 'fail', 'approval: never')}
${tool('note', 'note?key=${NOTE_TOKEN}', 'approval: never')}
`,
  );
  return {
    ...stage,
    sent,
    env: {
      ...stage.env,
      ...Object.fromEntries(
        (
          [
            'JWT_SECRET',
            'OPENAI_API_KEY',
            'LOOK_TOKEN',
            'PAY_TOKEN',
            'FAIL_TOKEN',
            'NOTE_TOKEN',
          ] as const
        ).map((name) => [name, CANARY[name]]),
      ),
    },
    close: async () => {
      await stage.close();
      await echo.close();
    },
  };
}

export interface Recorder {
  /** Every answer so far: status, headers and body. */
  readonly heard: readonly string[];
  readonly call: (
    method: string,
    path: string,
    more?: { body?: unknown; headers?: Record<string, string> },
  ) => Promise<Heard>;
  readonly stream: (path: string, body?: unknown) => Promise<void>;
}
interface Heard {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any;
}

export function recorder(url: string, token: string): Recorder {
  const heard: string[] = [];
  return {
    heard,
    call: async (method, path, { body, headers = {} } = {}) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      heard.push(
        `${method} ${path.slice(0, 60)} ${response.status}\n${JSON.stringify([...response.headers])}\n${text}`,
      );
      return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : undefined };
    },
    stream: async (path, body) => {
      const stream = await openStream(`${url}${path}`, { token, body });
      await stream.ended;
      heard.push(
        `stream ${path} ${stream.status}\n${JSON.stringify(stream.headers)}\n${stream.text()}`,
      );
    },
  };
}
