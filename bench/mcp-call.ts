// `npm run bench:mcp`: what a call of a server's tool costs over a plain HTTP tool, both against
// servers on this machine that answer at once, turn and turn about in one run. A call of a server's
// tool is two requests: the look at its definition, and the call.

import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ToolSnapshot } from '../src/contract/agent.ts';
import { createMcpServers } from '../src/mcp/servers.ts';
import type { ToolContext } from '../src/tools/define-tool.ts';
import { callHttpTool } from '../src/tools/http-tool.ts';
import { callMcpTool } from '../src/tools/mcp-tool.ts';
import { declare, said, startScriptedMcp } from '../test/rig/mcp-server.ts';

const CALLS = 500;
const WARM_UP = 50;

const answer: RequestListener = (req, res) => {
  req.resume();
  req.once('end', () => res.end('done'));
};
const plain = createServer(answer);
await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
const mcp = await startScriptedMcp({ tools: [declare('act')] });
mcp.behave = () => ({ result: said('done') });

const common: Omit<ToolSnapshot, 'kind'> = {
  ...{ name: 'act', description: 'Acts.', input: { type: 'object' }, version: '1' },
  ...{ readOnly: false, idempotent: true, quick: false },
  approval: 'never',
  risk: 'normal',
  ...{ approvers: null, timeoutMs: 5000 },
};
const url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/act`;
const httpTool: ToolSnapshot = {
  ...common,
  kind: 'http',
  http: { method: 'POST', url, headers: {} },
};
const server = { url: mcp.url, headers: {} };
const ctx: ToolContext = {
  ...{ runId: 'r', orgId: 'o', userId: 'u', callId: 'c', idempotencyKey: 'r:c', dataDir: '' },
  ...{ signal: new AbortController().signal, beforeWrite: async () => undefined },
};
const secret = (): undefined => undefined;
const servers = createMcpServers({ secret });
const found = await servers.look(server, 'act', ctx.signal);
if (found.kind !== 'DECLARED') throw new Error('the scripted server does not declare its tool');
const mcpTool: ToolSnapshot = {
  ...common,
  kind: 'mcp',
  mcp: { server, definition: found.definition },
};

const ways = {
  'plain HTTP tool': () => callHttpTool(httpTool, { note: 'a' }, ctx, secret),
  'tool of a server': async () => {
    const looked = await servers.look(server, 'act', ctx.signal);
    return callMcpTool(mcpTool, { note: 'a' }, ctx, { mcp: servers, looked, secret });
  },
};
const took: Record<string, { ms: number[]; cpuMs: number }> = {};
for (let n = -WARM_UP; n < CALLS; n++)
  for (const [way, call] of Object.entries(ways)) {
    const began = performance.now();
    const cpu = process.cpuUsage();
    const result = await call();
    const { user, system } = process.cpuUsage(cpu);
    if (result.kind !== 'DONE' || result.isError)
      throw new Error(`${way}: ${JSON.stringify(result)}`);
    if (n < 0) continue;
    const kept = (took[way] ??= { ms: [], cpuMs: 0 });
    kept.ms.push(performance.now() - began);
    kept.cpuMs += (user + system) / 1000;
  }
const at = (list: readonly number[], share: number): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length * share)] ?? NaN;
const [one, other] = Object.values(took);
console.log(`${CALLS} calls each, one after the other; the servers' own time is in both`);
for (const [way, { ms, cpuMs }] of Object.entries(took))
  console.log(
    `${way.padEnd(18)} p50 ${at(ms, 0.5).toFixed(2)} ms, p95 ${at(ms, 0.95).toFixed(2)} ms, CPU ${(cpuMs / CALLS).toFixed(2)} ms a call`,
  );
if (one !== undefined && other !== undefined)
  console.log(
    `ratio              p50 ${(at(other.ms, 0.5) / at(one.ms, 0.5)).toFixed(1)}, CPU ${(other.cpuMs / one.cpuMs).toFixed(1)}`,
  );
await servers.close();
await mcp.down();
plain.close();
