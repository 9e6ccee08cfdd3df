import assert from 'node:assert/strict';
import type { McpServer, ToolSnapshot } from '../../src/contract/agent.ts';
import { definitionHash } from '../../src/mcp/definition.ts';
import { createMcpServers, type Look, type McpServers } from '../../src/mcp/servers.ts';
import type { ToolContext } from '../../src/tools/define-tool.ts';
import { callMcpTool } from '../../src/tools/mcp-tool.ts';
import { MAX_RESULT_BYTES } from '../../src/tools/result-text.ts';
import type { ToolResult } from '../../src/tools/tool-result.ts';
import { declare, said, startScriptedMcp, type ScriptedMcp } from '../rig/mcp-server.ts';
import { startReceiver } from '../tools/scripted-receiver.ts';
import { context } from '../tools/snapshots.ts';
import { until } from '../rig/wait.ts';

const TOKEN = 'tracker-secret-4711';
const secret = (name: string): string | undefined => (name === 'TOKEN' ? TOKEN : undefined);
const none = new AbortController().signal;

/** A tool of the server as an agent would have it, called by its present definition. */
function caller(servers: McpServers, server: () => McpServer) {
  const look = (name: string): Promise<Look> => servers.look(server(), name, none);
  async function call(
    args: Readonly<Record<string, unknown>> = {},
    over: Partial<ToolContext> = {},
    timeoutMs = 5000,
  ): Promise<ToolResult> {
    const looked = await look('act');
    assert.equal(looked.kind, 'DECLARED', JSON.stringify(looked));
    const definition =
      looked.kind === 'DECLARED'
        ? looked.definition
        : { name: '', description: '', inputSchema: {} };
    const tool: ToolSnapshot = {
      ...{ name: 'x_act', description: '', input: {}, kind: 'mcp', quick: false, timeoutMs },
      ...{ readOnly: false, idempotent: false, approval: 'required', risk: 'normal' },
      ...{ approvers: null, version: definitionHash(definition) },
      mcp: { server: server(), definition },
    };
    return callMcpTool(tool, args, context(over), { mcp: servers, looked, secret });
  }
  return { look, call };
}

const knows = ({ calls: [call] }: ScriptedMcp): boolean =>
  call !== undefined && (call.cancelled || call.aborted);

const GENERATIONS = {
  'with a handshake': {},
  'with a handshake, plain answers and no session': { plain: true },
  'without a handshake': { modern: true },
} as const;

for (const [generation, options] of Object.entries(GENERATIONS))
  describe(`a call of a tool of an MCP server ${generation}`, function () {
    this.timeout(30_000);
    let mcp: ScriptedMcp;
    let servers: McpServers;
    const server = (): McpServer => ({
      url: mcp.url,
      headers: { Authorization: 'Bearer ${TOKEN}' },
    });
    const { look, call } = caller(
      {
        ...({} as McpServers),
        look: (...all) => servers.look(...all),
        call: (one) => servers.call(one),
      },
      server,
    );

    before(async () => {
      mcp = await startScriptedMcp({ ...options, token: TOKEN });
      servers = createMcpServers({ secret });
    });
    after(async () => {
      await servers.close();
      await mcp.down();
    });
    beforeEach(() => {
      mcp.behave = () => ({ result: said('done') });
      mcp.faults.clear();
      mcp.calls.length = 0;
    });

    it('is made once, under its key, with exactly its arguments, and its text is the result', async () => {
      const result = await call({ note: 'a', amount: 5 });
      assert.deepEqual(result, { kind: 'DONE', text: 'done', isError: false });
      assert.deepEqual(
        mcp.calls.map(({ name, args, key }) => [name, args, key]),
        [['act', { note: 'a', amount: 5 }, 'run_1:call_1']],
      );
    });

    it('shares its connection with others, and carries the header of the file on every message', async () => {
      const from = mcp.sent.length;
      for (let n = 0; n < 3; n++) await call();
      const opened = mcp.sent
        .slice(from)
        .filter(({ method }) => method === 'initialize' || method === 'server/discover');
      assert.equal(opened.length, 0);
      assert.ok(mcp.sent.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`));
    });

    const UNANSWERED = {
      'the connection is cut after it was written': 'cut',
      'the answer is cut in its middle': 'half',
      'the answer is no JSON': 'json',
      'the answer is a page': 'html',
      'the answer has another id': 'own id',
    } as const;
    for (const [what, no] of Object.entries(UNANSWERED))
      it(`is unanswered where ${what}`, async () => {
        mcp.behave = () => ({ no });
        assert.equal((await call()).kind, 'UNANSWERED');
        assert.equal(mcp.calls.length, 1);
      });

    it('is unanswered where no answer comes by its deadline, and the server is told', async () => {
      mcp.behave = () => ({ no: 'answer' });
      const result = await call({}, {}, 300);
      assert.deepEqual(result, { kind: 'UNANSWERED', why: 'no answer within 300 ms' });
      await until('the server knows', () => knows(mcp));
    });

    it('is cancelled at the server where its run is', async () => {
      mcp.behave = () => ({ no: 'answer' });
      const stop = new AbortController();
      const going = call({}, { signal: stop.signal });
      await until('it is there', () => mcp.calls.length === 1);
      stop.abort();
      assert.deepEqual(await going, { kind: 'UNANSWERED', why: 'it was cancelled' });
      await until('the server knows', () => knows(mcp));
    });

    it('has a known outcome where the server answers with an error, a status or isError', async () => {
      mcp.behave = () => ({ error: { code: -32603, message: 'no paper' } });
      const error = await call();
      assert.match(error.kind === 'DONE' ? error.text : error.kind, /-32603: no paper/);
      mcp.behave = () => ({ status: 503, body: 'later' });
      assert.deepEqual(await call(), {
        ...{ kind: 'DONE', text: 'later', isError: true, httpStatus: 503 },
      });
      mcp.behave = () => ({ result: { ...said('it is closed'), isError: true } });
      assert.deepEqual(await call(), { kind: 'DONE', text: 'it is closed', isError: true });
      assert.equal(mcp.calls.length, 3);
    });

    it('follows no redirect, neither with the call nor with its secret', async () => {
      const elsewhere = await startReceiver((response) => void response.end());
      for (const location of [elsewhere.url, mcp.url]) {
        mcp.calls.length = 0;
        mcp.behave = () => ({ status: 307, headers: { location } });
        const result = await call();
        assert.equal(result.kind === 'DONE' && result.httpStatus, 307);
        assert.equal(mcp.calls.length, 1);
      }
      assert.equal(elsewhere.received.length, 0);
      await elsewhere.close();
    });

    it('declines what the server asks back, and has promised nothing', async () => {
      for (const asks of ['sampling/createMessage', 'elicitation/create', 'roots/list']) {
        const from = mcp.sent.length;
        mcp.behave = () => ({ asks, result: said('went on') });
        const result = await call();
        assert.equal(result.kind, 'DONE');
        const answers = mcp.sent.slice(from).filter(({ method }) => method === undefined);
        if ('modern' in options) {
          assert.match(result.kind === 'DONE' ? result.text : '', /declined/);
          assert.deepEqual(answers, []);
        } else assert.ok(answers.length === 1 && answers[0]?.error !== undefined, asks);
      }
      const promised = mcp.sent.flatMap(({ params }) => params?.['capabilities'] ?? []);
      assert.ok(promised.every((one) => JSON.stringify(one) === '{}'));
    });

    it('takes its answer behind thousands of notices', async () => {
      mcp.behave = () => ({ notices: 3000, result: said('after all') });
      const result = await call({}, {}, 20_000);
      assert.equal(result.kind === 'DONE' && result.text, 'after all');
    });

    it('was not made where nothing could be written, and is possible again when the server is back', async () => {
      const looked = await look('act');
      await mcp.down();
      assert.deepEqual(await look('act'), { kind: 'UNREACHED', why: 'connection refused' });
      await mcp.up();
      assert.equal((await look('act')).kind, looked.kind);
      assert.equal((await call()).kind, 'DONE');
    });

    it('was not made where the last check before the first byte says no', async () => {
      const no = new Error('somebody else has it');
      await assert.rejects(call({}, { beforeWrite: () => Promise.reject(no) }), no);
      assert.equal(mcp.calls.length, 0);
    });

    it('is what the server declares now, whatever it says about keeping its list', async () => {
      const before = await look('act');
      mcp.change('act', { description: 'Does something else.' });
      const now = await look('act');
      assert.notDeepEqual(before, now);
      mcp.change('act', { description: 'Does act.' });
      assert.deepEqual(await look('act'), before);
      mcp.tools = mcp.tools.filter(({ name }) => name !== 'act');
      assert.deepEqual(await look('act'), { kind: 'GONE' });
      mcp.tools = [declare('look'), declare('act')];
    });

    it('a secret that the server says again is not in the result, and a long one is cut with a note', async () => {
      mcp.behave = () => ({ result: said(`you sent Bearer ${TOKEN}`) });
      const echoed = await call();
      assert.equal(echoed.kind === 'DONE' && echoed.text, 'you sent Bearer [secret]');
      mcp.behave = () => ({ result: said('x'.repeat(600_000)) });
      const long = await call();
      const text = long.kind === 'DONE' ? long.text : '';
      assert.ok(text.length < MAX_RESULT_BYTES + 200 && text.endsWith('bytes.]'));
    });
  });

describe('a session of an MCP server', function () {
  this.timeout(30_000);
  let mcp: ScriptedMcp;
  let servers: McpServers;
  const { call } = caller(
    {
      ...({} as McpServers),
      look: (...all) => servers.look(...all),
      call: (one) => servers.call(one),
    },
    () => ({ url: mcp.url, headers: {} }),
  );
  beforeEach(async () => {
    mcp = await startScriptedMcp();
    servers = createMcpServers({ secret });
  });
  afterEach(async () => {
    await servers.close();
    await mcp.down();
  });

  it('that is gone is opened once more before a call, which is carried out once', async () => {
    await call();
    mcp.forgetSessions();
    assert.equal((await call()).kind, 'DONE');
    assert.equal(mcp.calls.length, 2);
    // Between the look and the call.
    const beforeWrite = async (): Promise<void> => mcp.forgetSessions();
    let first = true;
    const once = async (): Promise<void> => {
      if (first) await beforeWrite();
      first = false;
    };
    assert.equal((await call({}, { beforeWrite: once })).kind, 'DONE');
    assert.equal(mcp.calls.length, 3);
    const always = await call({}, { beforeWrite });
    assert.equal(always.kind === 'DONE' && always.httpStatus, 404);
    assert.equal(mcp.calls.length, 3);
  });

  it('that is gone with another definition behind it ends the call before it is carried out', async () => {
    const beforeWrite = async (): Promise<void> => {
      mcp.forgetSessions();
      mcp.change('act', { description: 'Does something else.' });
    };
    assert.deepEqual(await call({}, { beforeWrite }), { kind: 'MOVED' });
    assert.equal(mcp.calls.length, 0);
  });

  it('is refused with words on what is missing where the server wants more than the file gives', async () => {
    const guarded = await startScriptedMcp({ token: 'another' });
    const listed = await servers.list({ url: guarded.url, headers: {} }, none);
    const why = listed.kind === 'UNREACHED' ? listed.why : '';
    assert.match(why, /Bearer with the scope "tools".*OAuth.*mcp\.headers/);
    assert.doesNotMatch(why, /auth\.test/);
    await guarded.down();
  });
});
