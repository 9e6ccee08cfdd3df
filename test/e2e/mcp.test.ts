import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PendingCall } from '../../src/contract/run.ts';
import { freePort } from '../rig/free-port.ts';
import { declare, said, startScriptedMcp, type ScriptedMcp } from '../rig/mcp-server.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import type { ModelRequestBody } from '../rig/scripted-model.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';
import {
  callerOf,
  followPlan,
  openStage,
  plan,
  tokenOf,
  type Answer,
  type Caller,
  type Stage,
} from './stage.ts';

const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const agentFile = (id: string, url: string, more = ''): string => `id: ${id}
model: scripted
instructions: Follow the plan.
${more}
tools:
  - mcp: { url: "${url}" }
    prefix: x
    allow: [look, act, keep]
    readOnly: [look]
    idempotent: [keep]
    timeoutMs: 1500
`;

const withoutMedia = (body: ModelRequestBody): ModelRequestBody => ({
  ...body,
  messages: body.messages.filter(({ content }) => !Array.isArray(content)),
});

describe('tools of an MCP server, by a real `npm start`', function () {
  this.timeout(90_000);
  const dataDir = tempDir();
  const definitions = [declare('look'), declare('act'), declare('keep')];
  let stage: Stage;
  let mcp: ScriptedMcp;
  let product: ProductProcess;
  let ada: Caller;

  before(async () => {
    stage = await openStage((body) => followPlan(withoutMedia(body)));
    mcp = await startScriptedMcp({ tools: definitions });
    const shipped = readFileSync('agents/files_agent.yaml', 'utf8');
    const files = {
      tracker: agentFile('tracker', mcp.url),
      seeing: agentFile('seeing', mcp.url, 'vision: true'),
      away: agentFile('away', `http://127.0.0.1:${await freePort()}/mcp`),
      files_agent: shipped.replace('model: gpt-4o', 'model: scripted'),
    };
    for (const [id, text] of Object.entries(files))
      writeFileSync(join(stage.agentsDir, `${id}.yaml`), text);
    product = await startProduct({
      role: 'start',
      env: { ...stage.env, DATA_DIR: dataDir, TEMPORAL_CLI: await temporalCliPath() },
    });
    ada = callerOf(product.url, await tokenOf('ada'));
  });
  after(async () => {
    await product?.stop();
    await mcp?.down();
    await stage?.close();
  });
  beforeEach(() => {
    mcp.tools = [...definitions];
    mcp.behave = () => ({ result: said('done') });
    mcp.calls.length = 0;
  });

  const ask = (agent: string, ...calls: (readonly [string, object])[]): Promise<Answer> =>
    ada.ask(
      plan(
        calls.map(([name, args]) => [name, { ...args }]),
        'Done.',
      ),
      { agent },
    );
  const only = ({ run }: Answer): PendingCall => {
    assert.equal(run.status, 'PAUSED', JSON.stringify(run));
    const [call] = run.pending ?? [];
    assert.ok(call !== undefined);
    return call;
  };

  it('a guarded call shows its definition, pauses before a byte of it is sent, and is made once', async () => {
    const paused = await ask('tracker', ['x_act', { note: 'a' }]);
    const call = only(paused);
    assert.deepEqual([call.name, call.risk, call.tool], ['x_act', 'normal', definitions[1]]);
    assert.equal(mcp.calls.length, 0);
    const { run } = await ada.decide(paused.run, { action: 'APPROVE' });
    assert.equal(run.status, 'COMPLETED');
    assert.deepEqual(
      mcp.calls.map(({ name, args, key }) => [name, args, key]),
      [['act', { note: 'a' }, `${run.runId}:${call.callId}`]],
    );
  });

  const PULLS: Readonly<Record<string, () => void>> = {
    'changes its description': () => mcp.change('act', { description: 'Tells everybody.' }),
    'changes its schema': () =>
      mcp.change('act', { inputSchema: { type: 'object', properties: { to: {} } } }),
    'adds an annotation': () => mcp.change('act', { annotations: { readOnlyHint: true } }),
    'gives its name to another tool': () => {
      mcp.tools = [declare('look'), { ...declare('keep'), name: 'act' }];
    },
    'takes it away': () => void (mcp.tools = [declare('look')]),
  };
  for (const [what, pull] of Object.entries(PULLS))
    it(`while a call waits, the server ${what}: it is not sent, and the run asks again with both definitions`, async () => {
      const first = await ask('tracker', ['x_act', { note: 'a' }]);
      const before = only(first);
      pull();
      const again = await ada.decide(first.run, { action: 'APPROVE' });
      const call = only(again);
      assert.equal(mcp.calls.length, 0);
      assert.deepEqual(
        [call.askedAgain, call.callId, call.tool],
        ['TOOL_CHANGED', before.callId, definitions[1]],
      );
      assert.notEqual(call.argumentsHash, before.argumentsHash);
      const now = mcp.tools.find(({ name }) => name === 'act');
      assert.deepEqual(call.toolNow, now ?? null);
      const late = await ada.decide(first.run, { action: 'REJECT', pauseId: first.run.pauseId });
      assert.equal(late.status, 409);
      const end = await ada.decide(again.run, { action: 'APPROVE', pauseId: again.run.pauseId });
      assert.equal(end.run.status, 'COMPLETED');
      assert.equal(mcp.calls.length, now === undefined ? 0 : 1);
      assert.equal(end.run.tools[0]?.isError, now === undefined);
    });

  it('a definition that changed between the start and a run is shown before anything is sent', async () => {
    mcp.change('act', { description: 'Tells everybody.' });
    const first = await ask('tracker', ['x_act', {}]);
    const again = await ada.decide(first.run, { action: 'APPROVE' });
    assert.equal(only(again).toolNow?.description, 'Tells everybody.');
    assert.equal(mcp.calls.length, 0);
    await ada.decide(again.run, { action: 'REJECT', pauseId: again.run.pauseId });
    assert.equal(mcp.calls.length, 0);
  });

  it('a read-only tool that changed between two turns is not called any more: the run pauses', async () => {
    mcp.behave = () => {
      mcp.change('look', { description: 'Looks, and tells everybody.' });
      return { result: said('seen') };
    };
    const steps = [['x_look', { note: '1' }]] as const;
    const message = plan(steps, [['x_look', { note: '2' }]], 'Done.');
    const paused = await ada.ask(message, { agent: 'tracker' });
    const call = only(paused);
    assert.deepEqual([call.name, call.askedAgain], ['x_look', 'TOOL_CHANGED']);
    assert.equal(mcp.calls.length, 1);
    const { run } = await ada.decide(paused.run, { action: 'REJECT' });
    assert.deepEqual([run.status, mcp.calls.length], ['COMPLETED', 1]);
  });

  it('a call that was written and not answered is not repeated: a person is asked, and may leave it', async () => {
    mcp.behave = () => ({ no: 'cut' });
    const first = await ask('tracker', ['x_act', {}]);
    const unknown = await ada.decide(first.run, { action: 'APPROVE' });
    const { kind, callId } = only(unknown);
    assert.equal(kind, 'OUTCOME_UNKNOWN');
    const { pauseId } = unknown.run;
    const { run } = await ada.decide(unknown.run, { action: 'REJECT', callId, pauseId });
    assert.deepEqual([run.tools[0]?.outcome, mcp.calls.length], ['UNKNOWN', 1]);
  });

  it('what the file calls idempotent or read-only is tried again under its key, three times in all', async () => {
    mcp.behave = (_, nth) => (nth < 3 ? { no: 'cut' } : { result: said('at last') });
    const first = await ask('tracker', ['x_keep', {}]);
    const { run } = await ada.decide(first.run, { action: 'APPROVE' });
    assert.equal(run.tools[0]?.result, 'at last');
    assert.deepEqual([mcp.calls.length, new Set(mcp.calls.map(({ key }) => key)).size], [3, 1]);
    mcp.calls.length = 0;
    mcp.behave = () => ({ no: 'cut' });
    const look = await ask('tracker', ['x_look', {}]);
    assert.deepEqual(
      [look.run.status, look.run.tools[0]?.isError, mcp.calls.length],
      ['COMPLETED', true, 3],
    );
  });

  it('where the server is down at the call nothing happened: the model is told, and nobody is asked', async () => {
    const first = await ask('tracker', ['x_act', {}]);
    await mcp.down();
    try {
      const { run } = await ada.decide(first.run, { action: 'APPROVE' });
      assert.deepEqual(
        [run.status, run.tools[0]?.isError, run.tools[0]?.result],
        ['COMPLETED', true, 'Nothing was sent: connection refused.'],
      );
    } finally {
      await mcp.up();
    }
  });

  it('cancelling a run cancels the request at the server', async () => {
    mcp.behave = () => ({ no: 'answer' });
    const runId = await ada.begin(plan([['x_look', {}]], 'Done.'), { agent: 'tracker' });
    await until('the call is there', () => mcp.calls.length === 1);
    assert.equal(await ada.cancel({ runId, agentId: 'tracker' }), 204);
    await until('the server knows', () => mcp.calls[0]?.cancelled === true, 5000);
  });

  it('a picture is given to a model that sees, another is told in words, and neither record has it', async () => {
    const content = [{ type: 'image', data: PICTURE, mimeType: 'image/png' }];
    mcp.behave = () => ({ result: { content } });
    for (const agent of ['seeing', 'tracker']) {
      const from = stage.model.requests.length;
      const { run } = await ask(agent, ['x_look', {}]);
      assert.equal(run.tools[0]?.result, '[An image: image/png, 70 bytes.]');
      const sent = JSON.stringify(stage.model.requests.slice(from).map(({ body }) => body));
      assert.equal(sent.includes(PICTURE), agent === 'seeing');
      assert.doesNotMatch(JSON.stringify(run), new RegExp(PICTURE.slice(20, 60)));
    }
  });

  it('an agent whose server is away takes no runs and says when to come again; the others do', async () => {
    const { status, headers, run } = await ada.ask(plan('Hello.'), { agent: 'away' });
    assert.deepEqual([status, run.code, headers.get('retry-after')], [503, 'UNAVAILABLE', '5']);
    assert.match(product.log(), /the agent away: it takes no runs, for its tool server http/);
    assert.equal((await ada.ask(plan('Hello.'))).run.status, 'COMPLETED');
  });

  it('the agent that ships reads unasked, and its guarded tool pauses', async () => {
    const steps = [
      [['files_read_text_file', { path: 'opening-hours.md' }]],
      [['files_write_file', { path: 'note.md', content: 'x' }]],
    ] as const;
    const paused = await ada.ask(plan(...steps, 'Done.'), { agent: 'files_agent' });
    assert.match(paused.run.tools[0]?.result ?? '', /Monday to Friday/);
    assert.equal(only(paused).name, 'files_write_file');
    const { run } = await ada.decide(paused.run, { action: 'REJECT' });
    assert.equal(run.status, 'COMPLETED');
  });

  it('kill -9 in the middle of a call that must not be repeated: it was sent once, and a person is asked', async () => {
    mcp.behave = () => ({ no: 'answer' });
    const first = await ask('tracker', ['x_act', {}]);
    await ada.decide(first.run, { action: 'APPROVE' }, 'respond-async');
    await until('the call is there', () => mcp.calls.length === 1);
    await product.kill9();
    await product.start();
    const settled = await ada.read({ runId: first.run.runId, agentId: 'tracker' }, 60);
    assert.equal(only(settled).kind, 'OUTCOME_UNKNOWN');
    assert.equal(mcp.calls.length, 1);
  });
});
