// Servers that others wrote: the protocol's own example over both transports, files, a memory.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { McpServer, ToolSnapshot } from '../../src/contract/agent.ts';
import { definitionHash, offerProblem } from '../../src/mcp/definition.ts';
import { createMcpServers } from '../../src/mcp/servers.ts';
import { callMcpTool } from '../../src/tools/mcp-tool.ts';
import type { ToolResult } from '../../src/tools/tool-result.ts';
import { freePort } from '../rig/free-port.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { until } from '../rig/wait.ts';
import { context } from '../tools/snapshots.ts';

const program = (name: string): string =>
  `node_modules/@modelcontextprotocol/server-${name}/dist/index.js`;
const none = new AbortController().signal;

describe('an MCP server that others wrote', function () {
  this.timeout(60_000);
  const servers = createMcpServers({ secret: () => undefined });
  let http: ChildProcess | undefined;
  let url = '';

  before(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}/mcp`;
    http = spawn(process.execPath, [program('everything'), 'streamableHttp'], {
      env: { PATH: process.env['PATH'], PORT: String(port) },
      stdio: 'ignore',
    });
    await until('it listens', () =>
      fetch(url).then(
        () => true,
        () => false,
      ),
    );
  });
  after(async () => {
    await servers.close();
    http?.kill('SIGKILL');
  });

  async function call(
    server: McpServer,
    name: string,
    args: Readonly<Record<string, unknown>>,
    signal = none,
  ): Promise<ToolResult> {
    const looked = await servers.look(server, name, none);
    assert.ok(looked.kind === 'DECLARED', `${name}: ${JSON.stringify(looked)}`);
    const { definition } = looked;
    assert.equal(offerProblem(definition), undefined);
    const tool: ToolSnapshot = {
      ...{ name: `x_${name}`, description: '', input: definition.inputSchema, kind: 'mcp' },
      ...{ version: definitionHash(definition), readOnly: true, idempotent: false, quick: false },
      ...{ approval: 'never', risk: 'normal', approvers: null, timeoutMs: 15_000 },
      mcp: { server, definition },
    };
    const deps = { mcp: servers, looked, secret: () => undefined };
    return callMcpTool(tool, args, context({ signal }), deps);
  }
  const textOf = (result: ToolResult): string =>
    result.kind === 'DONE' ? result.text : JSON.stringify(result);

  const everything: Readonly<Record<string, () => McpServer>> = {
    'over HTTP': () => ({ url, headers: {} }),
    'over its standard input and output': () => ({
      command: ['node', program('everything'), 'stdio'],
    }),
  };
  for (const [how, server] of Object.entries(everything))
    it(`the protocol's example, ${how}: text, numbers, structured content, a picture, links, a slow call`, async () => {
      assert.match(textOf(await call(server(), 'echo', { message: 'h\u00e9' })), /h\u00e9/);
      assert.match(textOf(await call(server(), 'get-sum', { a: 2, b: 40 })), /42/);
      const weather = await call(server(), 'get-structured-content', { location: 'New York' });
      assert.match(textOf(weather), /"temperature":\s*\d+/);
      const image = await call(server(), 'get-tiny-image', {});
      assert.match(textOf(image), /\[An image: image\/png, \d+ bytes\.\]/);
      assert.equal(image.kind === 'DONE' && image.media?.length, 1);
      assert.match(
        textOf(await call(server(), 'get-resource-links', { count: 2 })),
        /\[A resource: /,
      );
      const bad = await call(server(), 'get-sum', { a: 'two' });
      assert.equal(bad.kind === 'DONE' && bad.isError, true);
      const stop = new AbortController();
      const slow = call(
        server(),
        'trigger-long-running-operation',
        { duration: 20, steps: 20 },
        stop.signal,
      );
      setTimeout(() => stop.abort(), 500);
      assert.deepEqual(await slow, { kind: 'UNANSWERED', why: 'it was cancelled' });
      assert.match(textOf(await call(server(), 'echo', { message: 'still there' })), /still there/);
    });

  it('gets none of this process’s environment but what a program needs to start', async () => {
    process.env['A_SECRET_OF_OURS'] = 'tracker-secret-4711';
    try {
      const command = ['node', program('everything'), 'stdio', 'apart'];
      const text = textOf(await call({ command }, 'get-env', {}));
      assert.match(text, /PATH/);
      assert.doesNotMatch(text, /tracker-secret-4711/);
    } finally {
      delete process.env['A_SECRET_OF_OURS'];
    }
  });

  it('files: one is listed, read and written, and none outside of its folder', async () => {
    const folder = mkdtempSync(join(tempDir(), 'files-'));
    writeFileSync(join(folder, 'a.md'), 'What stands in it.');
    const server = { command: ['node', program('filesystem'), folder] };
    assert.match(textOf(await call(server, 'list_directory', { path: '.' })), /a\.md/);
    assert.match(textOf(await call(server, 'read_text_file', { path: 'a.md' })), /What stands/);
    await call(server, 'write_file', { path: 'b.md', content: 'new' });
    assert.equal(readFileSync(join(folder, 'b.md'), 'utf8'), 'new');
    const outside = await call(server, 'read_text_file', { path: '/etc/hostname' });
    assert.equal(outside.kind === 'DONE' && outside.isError, true);
  });

  it('a memory: what was put into it is found', async () => {
    const file = join(tempDir(), 'memory.jsonl');
    const server = { command: ['env', `MEMORY_FILE_PATH=${file}`, 'node', program('memory')] };
    const entities = [{ name: 'Ada', entityType: 'person', observations: ['likes lamps'] }];
    await call(server, 'create_entities', { entities });
    assert.match(textOf(await call(server, 'search_nodes', { query: 'lamps' })), /Ada/);
  });

  it('that is started here ends with the process that started it, however that ends', async () => {
    const folder = mkdtempSync(join(tempDir(), 'orphan-'));
    const code = `
      const { createMcpServers } = await import('./src/mcp/servers.ts');
      const servers = createMcpServers({ secret: () => undefined });
      const command = ['node', ${JSON.stringify(program('filesystem'))}, ${JSON.stringify(folder)}];
      const listed = await servers.list({ command }, new AbortController().signal);
      console.log(listed.kind);
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (part: Buffer) => (said += part.toString()));
    await until('it is connected', () => said.includes('LISTED'), 40_000);
    assert.ok((await processesWith(folder)) > 0);
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await until('none is left', async () => (await processesWith(folder)) === 0);
  });
});

/** Processes that have this in their arguments. */
async function processesWith(argument: string): Promise<number> {
  const list = spawn('ps', ['-eo', 'args'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  list.stdout.on('data', (part: Buffer) => (text += part.toString()));
  await new Promise((resolve) => list.once('close', resolve));
  return text.split('\n').filter((line) => line.includes(argument)).length;
}
