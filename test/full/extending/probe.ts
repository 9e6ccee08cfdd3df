// Runs in the copy of the tree that docs/extending.md was followed in: loads the new agent, calls its
// tools, and asks the new endpoint and the document for it. Prints what it got.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadAgents } from '../../../src/agents/load-agents.ts';
import { createApp } from '../../../src/api/app.ts';
import { createAuthenticate } from '../../../src/api/auth/authenticate.ts';
import type { AppDeps } from '../../../src/api/deps.ts';
import { makeToken } from '../../../src/dev/make-token.ts';
import type { ToolContext } from '../../../src/tools/define-tool.ts';
import { codeTools } from '../../../src/tools/index.ts';
import { runToolCall } from '../../../src/tools/tool.ts';

export interface Probed {
  readonly rolled: string;
  readonly found: string;
  readonly listed: unknown;
  readonly documented: readonly string[];
}

const SECRET = 's'.repeat(43);
const CLAIMS = { orgClaim: 'org_id', rolesClaim: 'roles', serviceClaim: 'service' };
const CONFIG = { ...CLAIMS, maxTokenAgeS: 60 };

const listen = async (server: ReturnType<typeof createServer>): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const shop = createServer((request, response) => response.end(`you asked for ${request.url}`));
const shopUrl = await listen(shop);
const secret = (name: string): string | undefined => (name === 'SHOP_URL' ? shopUrl : undefined);
const loaded = loadAgents('agents', { codeTools, secret });
if (!('agents' in loaded)) throw new Error(loaded.problems.join('\n'));

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
// The routes that are asked work with no store.
const deps = {
  agents: loaded.agents,
  authenticate: createAuthenticate({ ...CONFIG, auth: { kind: 'secret', secret: SECRET } }),
  draining: new AbortController().signal,
  log,
} as unknown as AppDeps;
const handle = createApp(deps).callback();
const api = createServer((request, response) => void handle(request, response));
const apiUrl = await listen(api);

const tool = (name: string) => {
  const snapshot = loaded.agents.get('order_agent')?.tools.find((each) => each.name === name);
  if (snapshot === undefined) throw new Error(`order_agent has no tool ${name}`);
  return snapshot;
};
const context: ToolContext = {
  ...{ runId: 'run', orgId: 'acme', userId: 'ada', callId: 'call', idempotencyKey: 'run:call' },
  ...{ dataDir: '.', signal: new AbortController().signal, beforeWrite: async () => undefined },
};
const call = async (name: string, args: Readonly<Record<string, unknown>>): Promise<string> =>
  JSON.stringify(await runToolCall(tool(name), args, context, { codeTools, secret }));

const token = await makeToken({
  ...{ secret: SECRET, config: CONFIG, user: 'ada', org: 'acme', roles: [] },
  ...{ scope: 'runs:read', lifeS: 60 },
});
const listed = await fetch(`${apiUrl}/api/agents/order_agent/tools`, {
  headers: { authorization: `Bearer ${token}` },
});
const document = (await (await fetch(`${apiUrl}/openapi.json`)).json()) as {
  paths: object;
  components: { schemas: object };
};
const probed: Probed = {
  rolled: await call('roll_dice', { count: 3, sides: 6 }),
  found: await call('find_order', { order: '7' }),
  listed: await listed.json(),
  documented: [...Object.keys(document.paths), ...Object.keys(document.components.schemas)],
};
console.log(JSON.stringify(probed));
api.close();
shop.close();
