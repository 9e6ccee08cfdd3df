// Tenants at every tool: what is another org's or another user's answers as what is not there.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { v7 } from 'uuid';
import { MCP_TOOLS } from '../../src/api/mcp/tools.ts';
import { newOrg, startApiRig, type ApiRig, type Json } from './api-rig.ts';
import { mcpClient, type McpCaller, type McpResult } from './mcp-rig.ts';

const OWN = 'runs:write runs:read runs:cancel';
const EVERY = `${OWN} runs:approve runs:impersonate admin`;

interface Ids {
  readonly agentId: string;
  readonly runId: string;
  readonly sessionId: string;
  readonly callId: string;
  readonly argumentsHash: string;
}

/** What each tool takes; a tool without its row fails the test. */
const ARGUMENTS: Readonly<Record<string, (ids: Ids) => object>> = {
  list_agents: () => ({}),
  run_agent: ({ agentId, sessionId }) => ({ agentId, sessionId, message: 'answer' }),
  get_run: ({ agentId, runId }) => ({ agentId, runId }),
  decide_call: ({ agentId, runId, callId, argumentsHash }) => ({
    ...{ agentId, runId, callId, argumentsHash },
    action: 'APPROVE',
  }),
  cancel_run: ({ agentId, runId }) => ({ agentId, runId }),
  list_approvals: ({ agentId }) => ({ agentId }),
};

const bare = ({ isError, text }: McpResult, ids: Ids): string =>
  `${isError} ${text.replaceAll(/"requestId":"[^"]*"|urn:request:[^"]*/g, 'R').replaceAll(ids.runId, 'ID')}`;

describe('tenants at every tool of /mcp', () => {
  let api: ApiRig;
  let ada: McpCaller;
  let mine: Ids;
  let run: Json;
  const strangers: [who: string, caller: McpCaller][] = [];
  before(async () => {
    api = await startApiRig();
    const org = newOrg();
    ada = await mcpClient(api, 'ada', { org, scope: EVERY });
    run = (await ada.call('run_agent', { agentId: 'guard', message: 'pause' })).structured;
    const [{ callId, argumentsHash }] = run.pending;
    const { runId, sessionId } = run;
    mine = { agentId: 'guard', runId, sessionId, callId, argumentsHash };
    strangers.push(
      ['another org', await mcpClient(api, 'zoe', { org: newOrg(), scope: EVERY })],
      [
        'another org, the same subject',
        await mcpClient(api, 'ada', { org: newOrg(), scope: EVERY }),
      ],
      ['another user of the org', await mcpClient(api, 'bob', { org, scope: OWN })],
    );
  });
  after(async () => {
    for (const caller of [ada, ...strangers.map(([, stranger]) => stranger)]) await caller.close();
    await api.close();
  });
  const ask = (caller: McpCaller, tool: string, ids: Ids): Promise<McpResult> =>
    caller.call(tool, ARGUMENTS[tool]?.(ids) ?? assert.fail(`${tool} has no row here`));

  for (const { name } of MCP_TOOLS)
    it(`${name} shows and changes nothing of others`, async () => {
      for (const [who, stranger] of strangers) {
        const unknown = { ...mine, runId: `run_${v7()}`, sessionId: randomUUID() };
        const [foreign, none] = [
          await ask(stranger, name, mine),
          await ask(stranger, name, unknown),
        ];
        if (name !== 'run_agent') assert.equal(bare(foreign, mine), bare(none, unknown), who);
        for (const { text } of [foreign, none])
          assert.ok(name.endsWith('_run') || !text.includes(mine.runId), who);
        if (['get_run', 'decide_call', 'cancel_run'].includes(name))
          assert.equal(foreign.isError, true, who);
        const kept = await ask(stranger, name, { ...mine, agentId: 'zeta_only' });
        assert.ok(!kept.text.includes('zeta_only'), who);
      }
      const { structured } = await ada.call('get_run', { agentId: 'guard', runId: mine.runId });
      assert.deepEqual(structured, run);
    });
});
