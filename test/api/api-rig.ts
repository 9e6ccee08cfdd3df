// The API on port 0 over a real store in memory, with callers that hold tokens. One store for all
// files: tests use orgs of their own.

import { randomUUID } from 'node:crypto';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { createApp, createRoutes } from '../../src/api/app.ts';
import type { AppDeps } from '../../src/api/deps.ts';
import { createAuthenticate } from '../../src/api/auth/authenticate.ts';
import type { AgentSnapshot, ToolSnapshot } from '../../src/contract/agent.ts';
import { createStore, type Store } from '../../src/store/database/access.ts';
import { createAnnouncer } from '../../src/store/events/notifications.ts';
import { openPglite } from '../../src/store/database/database.ts';
import { migrateToLatest } from '../../src/store/database/migrate.ts';
import { createDocument } from '../../src/api/documentation/document.ts';
import { tellsNothing } from '../rig/tells-nothing.ts';
import { createDocumentCheck, type DocumentCheck } from './document-check.ts';
import { createPlayedRuns, type PlayedRuns } from './played-runs.ts';

export const SECRET = 's'.repeat(43);
export const CONFIG = {
  orgClaim: 'org_id',
  rolesClaim: 'roles',
  serviceClaim: 'service',
  maxTokenAgeS: 86_400,
};
export const UNKNOWN_RUN = 'run_018f0000-0000-7000-8000-000000000000';
const EVERYDAY = 'runs:write runs:read runs:cancel runs:approve';

let opened: Promise<Store> | undefined;
export const sharedStore = (): Promise<Store> =>
  (opened ??= (async () => {
    const db = await openPglite();
    await migrateToLatest(db);
    return createStore(db, createAnnouncer(db));
  })());

const tool = (name: string, more: Partial<ToolSnapshot> = {}): ToolSnapshot => ({
  ...{
    name,
    description: `Does ${name}.`,
    input: { type: 'object' },
    kind: 'http',
    version: '1',
    readOnly: false,
    idempotent: true,
    quick: false,
  },
  ...{
    approval: 'required',
    risk: 'normal',
    approvers: null,
    timeoutMs: 1000,
    http: { method: 'POST', url: 'http://127.0.0.1:9/secret', headers: {} },
  },
  ...more,
});

export const agent = (id: string, more: Partial<AgentSnapshot> = {}): AgentSnapshot => ({
  ...{
    revision: `rev-${id}`,
    id,
    name: id,
    description: 'An agent.',
    active: true,
    orgs: null,
    model: 'gpt-4o',
    models: ['gpt-4o', 'gpt-4o-mini'],
  },
  ...{
    fallbackModels: [],
    vision: false,
    audio: false,
    temperature: null,
    maxTokens: null,
    instructions: 'INSTRUCTION-CANARY',
  },
  tools: [
    tool('send_email'),
    tool('pay', { idempotent: false }),
    tool('drop_table', { risk: 'high' }),
    tool('get_price', { readOnly: true, approval: 'never' }),
    tool('note', { idempotent: false, approval: 'never' }),
  ],
  limits: {
    maxTurns: 25,
    maxToolCalls: 50,
    maxRepeats: 3,
    maxTotalTokens: 200_000,
    historyTokens: 32_000,
    timeoutMs: 240_000,
  },
  approvals: { expiresAfterMs: null, quorum: 1, fourEyes: false },
  ...more,
});

const AGENTS = [
  agent('guard'),
  agent('other'),
  agent('asleep', { active: false }),
  agent('zeta_only', { orgs: ['zeta'] }),
  agent('lea_only', { tools: [tool('send_email', { approvers: ['user:lea', 'role:boss'] })] }),
  agent('quorum_two', { approvals: { expiresAfterMs: null, quorum: 2, fourEyes: false } }),
  agent('four_eyes', { approvals: { expiresAfterMs: null, quorum: 1, fourEyes: true } }),
  agent('expiring', { approvals: { expiresAfterMs: 1, quorum: 1, fourEyes: false } }),
];

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // The tests look into answers field by field; an answer that is not as expected fails there.
  readonly json: Json;
}
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

export interface CallOptions {
  readonly headers?: Record<string, string | string[]>;
  readonly body?: unknown;
  readonly raw?: string | Buffer;
  readonly signal?: AbortSignal;
}

export interface Caller {
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<Reply>;
  readonly run: (
    agentId: string,
    message: string,
    more?: object,
    headers?: Record<string, string>,
  ) => Promise<Reply>;
  readonly read: (agentId: string, runId: string, query?: string) => Promise<Reply>;
  readonly decide: (
    agentId: string,
    runId: string,
    body: unknown,
    headers?: Record<string, string>,
  ) => Promise<Reply>;
}

export interface CallerClaims {
  readonly org?: string;
  readonly scope?: string;
  readonly roles?: readonly string[];
  readonly service?: boolean;
}

export interface ApiRig {
  readonly store: Store;
  readonly runs: PlayedRuns;
  readonly url: string;
  readonly as: (user: string, claims?: CallerClaims) => Caller;
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<Reply>;
  readonly drain: () => void;
  readonly logged: readonly object[];
  readonly close: () => Promise<void>;
}

export async function startApiRig(change: Partial<AppDeps> = {}): Promise<ApiRig> {
  const store = change.store ?? (await sharedStore());
  const runs = createPlayedRuns(store);
  const draining = new AbortController();
  const logged: object[] = [];
  const log = {
    info: () => undefined,
    warn: () => undefined,
    error: (o: object) => void logged.push(o),
  };
  const deps: AppDeps = {
    store,
    agents: new Map(AGENTS.map((a) => [a.id, a])),
    authenticate: createAuthenticate({ ...CONFIG, auth: { kind: 'secret', secret: SECRET } }),
    send: runs.send,
    notReady: async () => [],
    syncWaitMaxMs: 20_000,
    draining: draining.signal,
    checkEdit: (_tool, edited) =>
      typeof edited['to'] === 'string'
        ? { canonical: JSON.stringify(edited) }
        : { problem: '"to" must be text' },
    log,
    ...change,
  };
  const app = createApp(deps);
  const { holds } = documentCheck(deps);
  const handle = app.callback();
  const server = createServer((req, res) => void handle(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const call: ApiRig['call'] = async (method, path, options = {}) => {
    const reply = await send(port, method, path, options);
    tellsNothing({ method, ...reply });
    holds(method, path, reply);
    return reply;
  };
  return {
    store,
    runs,
    url: `http://127.0.0.1:${port}`,
    call,
    logged,
    drain: () => draining.abort(),
    as: (user, claims = {}) => callerOf(call, user, claims),
    close: () => closeServer(server),
  };
}

let checked: DocumentCheck | undefined;
/** One for all files: the document depends on no rig's settings. */
export const documentCheck = (deps: AppDeps): DocumentCheck =>
  (checked ??= createDocumentCheck(createDocument(createRoutes(deps), '1')));

export async function token(
  user: string,
  { org = 'acme', scope = EVERYDAY, ...more }: CallerClaims = {},
  life = '30 min',
): Promise<string> {
  return new SignJWT({ sub: user, org_id: org, scope, ...more })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt()
    .setExpirationTime(life)
    .sign(new TextEncoder().encode(SECRET));
}

function callerOf(call: ApiRig['call'], user: string, claims: CallerClaims): Caller {
  const bearer = token(user, claims);
  const own: Caller['call'] = async (method, path, options = {}) =>
    call(method, path, {
      ...options,
      headers: { authorization: `Bearer ${await bearer}`, ...options.headers },
    });
  return {
    call: own,
    run: (agentId, message, more = {}, headers = {}) =>
      own('POST', `/api/agents/${agentId}/runs`, { body: { message, ...more }, headers }),
    read: (agentId, runId, query = '') =>
      own('GET', `/api/agents/${agentId}/runs/${runId}${query}`),
    decide: (agentId, runId, body, headers = {}) =>
      own('POST', `/api/agents/${agentId}/runs/${runId}/continue`, { body, headers }),
  };
}

function send(
  port: number,
  method: string,
  path: string,
  { headers = {}, body, raw, signal }: CallOptions,
): Promise<Reply> {
  const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const all = { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers };
  return new Promise((resolve, reject) => {
    const req = httpRequest(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: all,
        agent: false,
        ...(signal === undefined ? {} : { signal }),
      },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            text,
            json:
              text !== '' && /json/.test(res.headers['content-type'] ?? '')
                ? JSON.parse(text)
                : undefined,
          });
        });
      },
    );
    req.on('error', reject);
    req.end(payload);
  });
}

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/** An org nobody else has. */
export const newOrg = (): string => `org-${randomUUID().slice(0, 8)}`;
