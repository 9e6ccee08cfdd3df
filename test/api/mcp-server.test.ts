// Our runs as an MCP server, by MCP's official client in both generations of the protocol: the same
// answers, the same rights and the same refusals as at the routes.

import assert from 'node:assert/strict';
import { newOrg, startApiRig, token, UNKNOWN_RUN, type ApiRig, type Json } from './api-rig.ts';
import { GENERATIONS, mcpClient, type Generation, type McpCaller } from './mcp-rig.ts';
import { isProblem } from './problems.ts';

const NAMES = [
  ...['cancel_run', 'decide_call', 'get_run', 'list_agents', 'list_approvals', 'run_agent'],
];
const KEY = 'holdpoint/idempotencyKey';

describe('our runs as an MCP server', () => {
  let api: ApiRig;
  const opened: McpCaller[] = [];
  const as = async (
    ...who: Parameters<typeof mcpClient> extends [unknown, ...infer R] ? R : []
  ) => {
    const caller = await mcpClient(api, ...who);
    opened.push(caller);
    return caller;
  };
  before(async () => {
    api = await startApiRig();
  });
  after(async () => {
    for (const caller of opened) await caller.close();
    await api.close();
  });

  /** A run that waits with one call, and what decides it. */
  const waiting = async (ada: McpCaller): Promise<{ run: Json; vote: Json; text: string }> => {
    const { structured: run, text } = await ada.call('run_agent', {
      agentId: 'guard',
      message: 'pause',
    });
    assert.equal(run.status, 'PAUSED');
    const [{ callId, argumentsHash }] = run.pending;
    const vote = { agentId: 'guard', runId: run.runId, callId, argumentsHash, action: 'APPROVE' };
    return { run, vote, text };
  };
  const raw = async (body: unknown, headers: Record<string, string> = {}) =>
    api.call('POST', '/mcp', {
      raw: typeof body === 'string' ? body : JSON.stringify(body),
      headers: {
        authorization: `Bearer ${await token('ada')}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        ...headers,
      },
    });

  for (const generation of Object.keys(GENERATIONS) as Generation[]) {
    it(`serves six tools to the ${generation} generation, and runs, shows and decides`, async () => {
      const ada = await as('ada', { org: newOrg() }, generation);
      const { tools } = await ada.client.listTools();
      assert.deepEqual(tools.map(({ name }) => name).toSorted(), NAMES);
      for (const { name, annotations } of tools)
        assert.equal(annotations?.readOnlyHint, /^(get|list)_/.test(name), name);

      const done = await ada.call('run_agent', { agentId: 'guard', message: 'answer' });
      assert.equal(done.structured.status, 'COMPLETED');
      assert.match(done.text, /The answer\./);
      const named = { agentId: 'guard', runId: done.structured.runId };
      assert.deepEqual((await ada.call('get_run', named)).structured, done.structured);

      const { run, vote, text } = await waiting(ada);
      for (const shown of [vote.callId, vote.argumentsHash, 'send_email'])
        assert.ok(text.includes(shown), shown);
      const listed = await ada.call('list_approvals', { agentId: 'guard', limit: 100 });
      assert.deepEqual(
        listed.structured.data.map((item: Json) => [item.runId, item.callId]),
        [[run.runId, vote.callId]],
      );
      const decided = await ada.call('decide_call', vote);
      assert.equal(decided.structured.status, 'COMPLETED');
      assert.deepEqual(decided.structured.tools[0].decision.by, ['ada']);
    });
  }

  it('decides nothing without the call and its hash, with another hash, or for an agent’s run', async () => {
    const ada = await as('ada', { org: newOrg() });
    const [one, other] = [await waiting(ada), await waiting(ada)];
    const without = (field: string): object =>
      Object.fromEntries(Object.entries(one.vote).filter(([name]) => name !== field));
    const wrong: readonly object[] = [
      without('callId'),
      without('argumentsHash'),
      { ...one.vote, argumentsHash: 'f'.repeat(64) },
      { ...one.vote, argumentsHash: other.vote.argumentsHash },
      { ...one.vote, callId: other.vote.callId, argumentsHash: other.vote.argumentsHash },
      { ...one.vote, decisions: [one.vote] },
    ];
    for (const vote of wrong)
      assert.equal((await ada.call('decide_call', vote)).isError, true, JSON.stringify(vote));
    for (const key of [`${one.run.runId}:call_1`, '', null]) {
      const ofAgent = await ada.call('decide_call', one.vote, { meta: { [KEY]: key } });
      assert.equal(ofAgent.isError, true);
      assert.match(ofAgent.text, /"code":"FORBIDDEN"/);
    }
    for (const { run } of [one, other]) {
      const { structured } = await ada.call('get_run', { agentId: 'guard', runId: run.runId });
      assert.deepEqual(structured.pending, run.pending);
    }
  });

  it('an agent’s run that repeats its call finds the run that it started', async () => {
    const ada = await as('ada', { org: newOrg() });
    const start = { agentId: 'guard', message: 'answer' };
    const meta = { [KEY]: `${UNKNOWN_RUN}:call_0` };
    const [first, second] = [
      await ada.call('run_agent', start, { meta }),
      await ada.call('run_agent', start, { meta }),
    ];
    assert.equal(first.structured.runId, second.structured.runId);
  });

  it('each tool needs the scope of its route, list_agents a token alone', async () => {
    const org = newOrg();
    const ada = await as('ada', { org });
    const { run, vote } = await waiting(ada);
    const id = { agentId: 'guard', runId: run.runId };
    const all = ['runs:write', 'runs:read', 'runs:cancel', 'runs:approve'];
    const needs: readonly [scope: string, tool: string, args: object][] = [
      ['runs:write', 'run_agent', { agentId: 'guard', message: 'answer' }],
      ['runs:read', 'get_run', id],
      ['runs:approve', 'decide_call', vote],
      ['runs:approve', 'list_approvals', {}],
      ['runs:cancel', 'cancel_run', id],
    ];
    for (const [scope, tool, args] of needs) {
      const lacking = await as('ada', { org, scope: all.filter((s) => s !== scope).join(' ') });
      const { isError, text } = await lacking.call(tool, args);
      assert.equal(isError, true, tool);
      const { code, detail } = JSON.parse(text);
      assert.deepEqual([code, detail.includes(scope)], ['INSUFFICIENT_SCOPE', true]);
    }
    const bare = await as('ada', { org, scope: '' });
    assert.ok((await bare.call('list_agents')).structured.data.length > 0);
    const after = await ada.call('get_run', id);
    assert.deepEqual(after.structured.pending, run.pending);
    const canceller = await as('ada', { org, scope: 'runs:cancel' });
    assert.equal((await canceller.call('cancel_run', id)).structured.status, 'CANCELLED');
    assert.equal((await ada.call('decide_call', vote)).isError, true);
  });

  it('tells who gave a progress token that the run goes on and which it is; a wait that runs out gives the run', async () => {
    const ada = await as('ada', { org: newOrg() });
    const told: Json[] = [];
    const short = await startApiRig({ syncWaitMaxMs: 3000 });
    const patient = await mcpClient(short, 'ada');
    try {
      const start = { agentId: 'guard', message: 'stay' };
      const { structured, text, isError } = await patient.call('run_agent', start, {
        onprogress: (progress) => told.push(progress),
      });
      assert.equal(isError, false);
      assert.equal(structured.status, 'QUEUED');
      assert.match(text, /goes on; read it with get_run/);
      assert.ok(told.length >= 2);
      assert.ok(told.every(({ message }) => message.includes(structured.runId)));
      assert.ok(told.every(({ progress }, i) => i === 0 || progress > told[i - 1].progress));
      assert.equal(
        (await ada.call('get_run', { agentId: 'guard', runId: UNKNOWN_RUN })).isError,
        true,
      );
    } finally {
      await patient.close();
      await short.close();
    }
  });

  it('refuses what HTTP refuses as problems, and a page of another origin', async () => {
    isProblem(await api.call('POST', '/mcp', { raw: '{broken' }), 401, 'UNAUTHENTICATED');
    const ada = api.as('ada');
    for (const method of ['GET', 'DELETE']) {
      const refused = await ada.call(method, '/mcp');
      isProblem(refused, 405, 'METHOD_NOT_ALLOWED');
      assert.match(String(refused.headers.allow), /POST/);
    }
    isProblem(await raw('{}', { 'content-type': 'text/plain' }), 415, 'UNSUPPORTED_MEDIA_TYPE');
    isProblem(await raw(JSON.stringify('x'.repeat(2 ** 21))), 413, 'PAYLOAD_TOO_LARGE');
    for (const origin of ['http://evil.example', 'null', api.url.replace('127.0.0.1', 'evil')])
      isProblem(await raw('{}', { origin }), 403, 'FORBIDDEN');
  });

  it('answers what is no JSON-RPC, a list of messages and an unknown method as JSON-RPC does', async () => {
    const authorization = `Bearer ${await token('ada')}`;
    // Not by the rig: it holds every refusal against the form of a problem.
    const codeOf = async (body: unknown) => {
      const answered = await fetch(`${api.url}/mcp`, {
        method: 'POST',
        headers: {
          ...{ authorization, 'content-type': 'application/json' },
          accept: 'application/json, text/event-stream',
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      const { error } = (await answered.json()) as Json;
      return [answered.status, error?.code];
    };
    assert.deepEqual(await codeOf('{"jsonrpc":"2.0",'), [400, -32700]);
    assert.deepEqual(await codeOf('{"id":1,"id":2}'), [400, -32700]);
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    assert.deepEqual(await codeOf([ping, ping]), [400, -32600]);
    for (const body of ['"hello"', 'null', '{}', '{"jsonrpc":"1.0","id":1,"method":"ping"}'])
      assert.equal((await codeOf(body))[0], 400, body);
    const ada = await as('ada', {}, 'first');
    await assert.rejects(ada.client.callTool({ name: 'no_such_tool', arguments: {} }));
  });
});
