// Writes src/api/documentation/examples.json: what the OpenAPI document shows, as a running server
// answered it. Against the shipped agents and the demonstration model:
//   npm start, then API=http://127.0.0.1:8080 TOKEN=… npx tsx examples/record.ts

import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import type { Examples } from '../src/api/documentation/examples.ts';

const FILE = new URL('../src/api/documentation/examples.json', import.meta.url);
const { API = 'http://127.0.0.1:8080', TOKEN = '' } = process.env;
const RUNS = '/api/agents/{agentId}/runs';
const RUN = `${RUNS}/{runId}`;

const recorded: Record<string, Record<string, Examples[string]>> = {};

interface Asked {
  readonly as: string;
  readonly summary?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** `operation`: as in the document. Keeps the body and the answer under the name `as`. */
async function record(
  operation: string,
  url: string,
  { as, summary, body, headers }: Asked,
): Promise<{ readonly [field: string]: unknown }> {
  const response = await fetch(`${API}${url}`, {
    method: operation.split(' ')[0] ?? 'GET',
    headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const keep = (what: string, value: unknown): void => {
    (recorded[`${operation} ${what}`] ??= {})[as] = {
      ...(summary === undefined ? {} : { summary }),
      value,
    };
  };
  if (body !== undefined && response.ok) keep('body', body);
  if (text === '') return {};
  const answer = JSON.parse(text) as { readonly [field: string]: unknown };
  keep(String(response.status), answer);
  return answer;
}

const finance = '/api/agents/finance_agent/runs';
const answered = await record(`POST ${RUNS}`, finance, {
  ...{
    as: 'answered',
    summary: 'A question, answered',
    body: { message: 'What is the stock price of NVDA?' },
  },
});
const ask = { message: 'Send an e-mail to ada@example.com with the price of NVDA.' };
const paused = await record(`POST ${RUNS}`, finance, {
  as: 'paused',
  summary: 'Something guarded: the run waits for a person',
  body: ask,
});
await record('GET /api/approvals', '/api/approvals?limit=1', { as: 'inbox' });
const [pending] = paused['pending'] as {
  readonly callId: string;
  readonly argumentsHash: string;
}[];
const at = `${finance}/${String(paused['runId'])}`;
await record(`POST ${RUN}/continue`, `${at}/continue`, {
  ...{ as: 'wrongHash', summary: 'Approved by the hash of other arguments' },
  body: { action: 'APPROVE', callId: pending?.callId, argumentsHash: '0'.repeat(64) },
});
await record(`POST ${RUN}/continue`, `${at}/continue`, {
  ...{ as: 'approved', summary: 'Exactly the call that was shown' },
  body: {
    action: 'APPROVE',
    reason: 'She asked for it.',
    callId: pending?.callId,
    argumentsHash: pending?.argumentsHash,
  },
});
await record(`POST ${RUN}/continue`, `${at}/continue`, {
  as: 'late',
  summary: 'Too late',
  body: { action: 'REJECT' },
});
const again = await record(`POST ${RUNS}/background`, `${finance}/background`, {
  as: 'started',
  body: ask,
});
await record(`GET ${RUN}`, `${finance}/${String(again['runId'])}?wait=20`, {
  as: 'paused',
  summary: 'Joined by `?wait=20`',
});
await record(`POST ${RUN}/continue`, `${finance}/${String(again['runId'])}/continue`, {
  ...{
    as: 'rejected',
    summary: 'A bare rejection',
    body: { action: 'REJECT', reason: 'Not now.' },
  },
});
await record(`GET ${RUN}`, `${finance}/run_018f0000-0000-7000-8000-000000000000`, {
  as: 'unknown',
});
await record(`POST ${RUNS}`, finance, {
  as: 'unknownField',
  body: { message: 'Hello', sesionId: '1' },
});
await record(`GET ${RUN}/events`, `${at}/events?limit=4`, { as: 'events' });
await record('GET /api/runs', '/api/runs?limit=1&status=COMPLETED', { as: 'runs' });
await record('GET /api/sessions', '/api/sessions?limit=2', { as: 'sessions' });
await record('GET /api/sessions/{sessionId}', `/api/sessions/${String(answered['sessionId'])}`, {
  as: 'session',
});
await record('GET /api/usage', '/api/usage', { as: 'usage' });
await record('GET /api/agents', '/api/agents', { as: 'agents' });
writeFileSync(
  FILE,
  await format(JSON.stringify(recorded), { ...(await resolveConfig(FILE)), parser: 'json' }),
);
