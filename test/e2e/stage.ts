// What runs are played on: agents whose tools lead to the sink, a model that follows the plan in
// the message it is asked, tokens, and a caller of the API. The model keeps nothing: after any kill
// it answers from the messages it gets.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PendingCall, RunResponse } from '../../src/contract/run.ts';
import { makeToken } from '../../src/dev/make-token.ts';
import {
  startScriptedModel,
  type ModelRequestBody,
  type Reply,
  type ScriptedModel,
} from '../rig/scripted-model.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { tellsNothing } from '../rig/tells-nothing.ts';
import { startToolSink, type ToolSink } from '../rig/tool-sink.ts';

export const SECRET = 'a secret of the tests, long enough for HS256';

/** One step of a plan: the calls of a turn, or an answer. */
export type Step =
  string | readonly (readonly [tool: string, args: Readonly<Record<string, unknown>>])[];

/** A message that makes the model take these steps, one a turn. */
export const plan = (...steps: readonly Step[]): string => JSON.stringify(steps);

export function followPlan(body: ModelRequestBody): Reply {
  const asked = body.messages.findLastIndex((message) => message.role === 'user');
  const question = String(body.messages[asked]?.content);
  // the extra call for follow-ups
  if (question.startsWith('Suggest ')) return { text: '["And then?"]' };
  const turn = body.messages.slice(asked).filter((message) => message.role === 'assistant').length;
  const steps = JSON.parse(question) as readonly Step[];
  const step = steps[turn] ?? 'There are no more steps.';
  return typeof step === 'string'
    ? { text: step }
    : { toolCalls: step.map(([name, args]) => ({ name, args })) };
}

export interface Stage {
  readonly sink: ToolSink;
  readonly model: ScriptedModel;
  readonly agentsDir: string;
  /** What any role of the product needs beside its database and its Temporal. */
  readonly env: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

const toolEntry = (name: string, url: string, more: string): string => `  - name: ${name}
    description: The tool ${name}.
    input:
      type: object
      properties: { mode: { type: string }, note: { type: string }, amount: { type: integer } }
      additionalProperties: false
    http: { method: POST, url: "${url}/${name}" }
${more
  .split('; ')
  .map((line) => `    ${line}`)
  .join('\n')}`;

/** `more`: lines of the file beside its tools. */
export const agentFile = (id: string, url: string, more = ''): string => `id: ${id}
name: ${id}
description: An agent of the tests.
model: scripted
models: [scripted, other]
instructions: Follow the plan.
${more}
tools:
${toolEntry('look', url, 'readOnly: true')}
${toolEntry('note', url, 'approval: never')}
${toolEntry('keep', url, 'approval: never; idempotent: true')}
${toolEntry('send', url, 'idempotent: true')}
${toolEntry('pay', url, 'idempotent: false')}
${toolEntry('wire', url, 'risk: high')}
`;

const AGENTS: Readonly<Record<string, string>> = {
  helper: '',
  expiring: 'approvals: { expiresAfter: 1s }',
  two: 'approvals: { quorum: 2 }',
  tight: 'limits: { maxToolCalls: 1 }',
};

export async function openStage(
  onRequest: (body: ModelRequestBody, n: number) => Reply | Promise<Reply> = followPlan,
): Promise<Stage> {
  const sink = await startToolSink();
  const model = await startScriptedModel(onRequest);
  const agentsDir = tempDir();
  for (const [id, more] of Object.entries(AGENTS))
    writeFileSync(join(agentsDir, `${id}.yaml`), agentFile(id, sink.url, more));
  return {
    sink,
    model,
    agentsDir,
    env: {
      AGENTS_DIR: agentsDir,
      OPENAI_BASE_URL: model.url,
      OPENAI_API_KEY: 'k',
      JWT_SECRET: SECRET,
      LOG_LEVEL: 'warn',
    },
    close: async () => {
      await model.close();
      await sink.close();
    },
  };
}

const EVERYDAY = 'runs:write runs:read runs:cancel runs:approve';

export const tokenOf = (user: string, lifeS = 3600, scope = EVERYDAY): Promise<string> =>
  makeToken({
    secret: SECRET,
    config: { orgClaim: 'org_id', rolesClaim: 'roles', maxTokenAgeS: 86_400 },
    user,
    org: 'acme',
    roles: [],
    scope,
    lifeS,
  });

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The run; a problem where the status is 400 or above. */
  readonly run: RunResponse & { readonly code?: string; readonly detail?: string };
}

export interface Caller {
  readonly ask: (
    message: string,
    more?: { agent?: string; sessionId?: string; prefer?: string; followUps?: boolean },
  ) => Promise<Answer>;
  readonly begin: (
    message: string,
    more?: { agent?: string; sessionId?: string },
  ) => Promise<string>;
  readonly decide: (run: Named, body: object, prefer?: string) => Promise<Answer>;
  readonly cancel: (run: Named) => Promise<number>;
  readonly retry: (run: Named, key?: string) => Promise<Answer>;
  /** As it stands, or after at most `waitS` when it has settled. */
  readonly read: (run: Named, waitS?: number) => Promise<Answer>;
}
interface Named {
  readonly runId: string;
  readonly agentId?: string;
}

export function callerOf(url: string, token: string): Caller {
  async function call(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    tellsNothing({
      method,
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text,
    });
    return {
      status: response.status,
      headers: response.headers,
      run: (text === '' ? {} : JSON.parse(text)) as Answer['run'],
    };
  }
  const pathOf = ({ runId, agentId = 'helper' }: Named): string =>
    `/api/agents/${agentId}/runs/${runId}`;
  return {
    ask: (message, { agent = 'helper', sessionId, prefer, followUps } = {}) =>
      call(
        'POST',
        `/api/agents/${agent}/runs`,
        {
          message,
          ...(sessionId ? { sessionId } : {}),
          ...(followUps ? { generateFollowups: true } : {}),
        },
        prefer === undefined ? {} : { prefer },
      ),
    begin: async (message, { agent = 'helper', sessionId } = {}) => {
      const { status, run } = await call('POST', `/api/agents/${agent}/runs/background`, {
        message,
        ...(sessionId ? { sessionId } : {}),
      });
      if (status !== 200)
        throw new Error(`the start was refused: ${status} ${run.code} ${run.detail}`);
      return run.runId;
    },
    decide: (run, body, prefer) =>
      call('POST', `${pathOf(run)}/continue`, body, prefer === undefined ? {} : { prefer }),
    retry: (run, key) =>
      call(
        'POST',
        `${pathOf(run)}/retry`,
        undefined,
        key === undefined ? {} : { 'idempotency-key': key },
      ),
    cancel: async (run) => (await call('DELETE', pathOf(run))).status,
    read: (run, waitS) =>
      call('GET', `${pathOf(run)}${waitS === undefined ? '' : `?wait=${waitS}`}`),
  };
}

export const pendingOf = (run: RunResponse): readonly PendingCall[] => run.pending ?? [];
