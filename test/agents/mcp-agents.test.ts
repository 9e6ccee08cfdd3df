import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openAgents, type AgentRegistry } from '../../src/agents/agent-registry.ts';
import { loadAgents, type LoadedAgents } from '../../src/agents/load-agents.ts';
import type { AgentSnapshot } from '../../src/contract/agent.ts';
import { definitionHash } from '../../src/mcp/definition.ts';
import { createMcpServers } from '../../src/mcp/servers.ts';
import { codeTools } from '../../src/tools/index.ts';
import { declare, startScriptedMcp, type ScriptedMcp } from '../rig/mcp-server.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { until } from '../rig/wait.ts';

const TOKEN = 'tracker-secret-4711';
const secret = (name: string): string | undefined => (name === 'TOKEN' ? TOKEN : undefined);
const BASE = 'id: a\nmodel: m\ntools:\n';
const entry = (url: string, more = ''): string =>
  `  - mcp: { url: "${url}" }\n    prefix: x\n    allow: [act]\n${more}`;

let count = 0;
function load(text: string, production = false): LoadedAgents {
  const dir = join(tempDir(), `mcp-agents-${count++}`);
  mkdirSync(dir);
  writeFileSync(join(dir, 'a.yaml'), text);
  return loadAgents(dir, { codeTools, secret, production });
}
const problems = (text: string): readonly string[] => {
  const loaded = load(text);
  return 'problems' in loaded ? loaded.problems : [];
};

describe('an agent file with an MCP server', () => {
  it('is refused with file and line for what it says itself', () => {
    const at = 'http://127.0.0.1:9/mcp';
    assert.deepEqual(problems(`${BASE}  - mcp: {}\n    prefix: x\n    allow: [a]\n`), [
      'a.yaml:4: tools[0].mcp: must have a url',
    ]);
    assert.deepEqual(problems(`${BASE}${entry(at, '    readOnly: [look]\n')}`), [
      'a.yaml:7: tools[0].readOnly[0]: names "look", which allow does not',
    ]);
    assert.deepEqual(problems(`${BASE}${entry(at, '    risk: { look: high }\n')}`), [
      'a.yaml:7: tools[0].risk.look: names "look", which allow does not',
    ]);
    assert.deepEqual(problems(`${BASE}${entry(at, '    idempotent: [drop]\n')}`), [
      'a.yaml:7: tools[0].idempotent[0]: names "drop", which allow does not',
    ]);
    assert.deepEqual(problems(`${BASE}${entry('ftp://x.test/mcp')}`), [
      'a.yaml:4: tools[0].mcp.url: must be an http or https address',
    ]);
    assert.deepEqual(problems(`${BASE}${entry('${NOWHERE}/mcp')}`), [
      'a.yaml:4: tools[0].mcp.url: names NOWHERE, which is not set in the environment',
    ]);
    const [unknown = ''] = problems(`${BASE}${entry(at, '    approval: never\n')}`);
    assert.match(unknown, /^a\.yaml:7: tools\[0\]\.approval: is not known here/);
    const both = `${BASE}  - mcp: { url: "${at}", command: [x] }\n    prefix: x\n    allow: [a]\n`;
    assert.deepEqual(problems(both), [
      'a.yaml:4: tools[0].mcp.command: cannot stand beside url: the server is at one place',
    ]);
  });

  it('that starts a command is not served in production, and the rest is', () => {
    const text = `${BASE}  - mcp: { command: [node, x.js] }\n    prefix: x\n    allow: [a]\n`;
    const loaded = load(text, true);
    assert.ok('agents' in loaded);
    assert.deepEqual([loaded.agents.size, loaded.drafts.length], [0, 0]);
    assert.match(loaded.notices.join(), /^a\.yaml:4: tools\[0\]\.mcp\.command: is for development/);
  });
});

describe('the tools of an agent with an MCP server', function () {
  this.timeout(40_000);
  let mcp: ScriptedMcp;
  let lines: string[];
  const registries: AgentRegistry[] = [];
  const servers = createMcpServers({ secret });
  const log = {
    warn: (_: unknown, line?: string) => void lines.push(line ?? ''),
    info: (_: unknown, line?: string) => void lines.push(line ?? ''),
  };
  beforeEach(async () => {
    lines = [];
    mcp = await startScriptedMcp();
  });
  afterEach(async () => {
    for (const registry of registries.splice(0)) registry.stop();
    await mcp.down();
  });
  after(() => servers.close());

  async function open(text: string): Promise<AgentRegistry> {
    const loaded = load(text);
    assert.ok('agents' in loaded, JSON.stringify(loaded));
    const registry = await openAgents(loaded, {
      ...{ servers, secret, log, stopping: new AbortController().signal },
    });
    registries.push(registry);
    return registry;
  }
  const tools = ({ agents }: AgentRegistry): AgentSnapshot['tools'] => agents.get('a')?.tools ?? [];

  it('are those that the file names, pinned, guarded unless it says read-only', async () => {
    const [, act] = mcp.tools;
    const text = `${BASE}${entry(mcp.url, '    risk: { act: high }\n').replace('[act]', '[act, look]')}    readOnly: [look]\n`;
    const [first, second] = tools(await open(text));
    assert.deepEqual(
      [first?.name, first?.approval, first?.risk, first?.description],
      ['x_act', 'required', 'high', 'Does act.'],
    );
    assert.deepEqual([second?.name, second?.approval], ['x_look', 'never']);
    assert.deepEqual(first?.mcp?.definition, act);
    assert.equal(first?.version, definitionHash(first?.mcp?.definition ?? null));
  });

  it('are found on the last page of thousands', async () => {
    mcp.tools = Array.from({ length: 5000 }, (_, n) => declare(`tool_${n}`));
    const text = `${BASE}${entry(mcp.url).replace('[act]', '[tool_4999]')}`;
    assert.deepEqual(
      tools(await open(text)).map(({ name }) => name),
      ['x_tool_4999'],
    );
  });

  it('a name that the server lacks, also by a letter that looks alike, is an error with file and line', async () => {
    mcp.tools = [declare('\u0430ct')];
    await assert.rejects(open(`${BASE}${entry(mcp.url)}`), (error: Error) => {
      assert.match(
        error.message,
        /a\.yaml:6: tools\[0\]\.allow\[0\]: names "act", which the server/,
      );
      return true;
    });
  });

  it('one name from two servers under one prefix is an error with file and line', async () => {
    const second = await startScriptedMcp();
    await assert.rejects(open(`${BASE}${entry(mcp.url)}${entry(second.url)}`), (error: Error) => {
      assert.match(error.message, /a\.yaml:7: tools\[1\]: the tool "x_act" is named twice/);
      return true;
    });
    await second.down();
  });

  const ODD = {
    'hidden characters in its description': { description: 'Pays.\u200b\u{e0041} And more.' },
    'hidden characters in its schema': {
      inputSchema: { type: 'object', properties: { a: { title: '\u202e' } } },
    },
    'a description of a megabyte': { description: 'x'.repeat(1_000_000) },
    'a schema that does not compile': {
      inputSchema: { type: 'object', properties: { a: { pattern: '(' } } },
    },
    'a schema that refers to another address': {
      inputSchema: { type: 'object', properties: { a: { $ref: 'http://x.test/s.json' } } },
    },
    'a schema that is nested a thousand times': {
      inputSchema: JSON.parse(
        `${'{"type":"object","properties":{"a":'.repeat(1000)}{}${'}}'.repeat(1000)}`,
      ) as object,
    },
    'no schema': { inputSchema: undefined },
    'a schema of something else than an object': { inputSchema: { type: 'string' } },
    'a secret that the server was sent': { description: `Give it ${TOKEN}.` },
  };
  for (const [what, more] of Object.entries(ODD))
    it(`one with ${what} is left out with a line in the log, and the rest of its server is offered`, async () => {
      mcp.change('act', more);
      const url = `${mcp.url}?t=\${TOKEN}`;
      const registry = await open(`${BASE}${entry(url).replace('[act]', '[act, look]')}`);
      assert.deepEqual(
        tools(registry).map(({ name }) => name),
        ['x_look'],
      );
      assert.equal(registry.isWaiting('a'), false);
      assert.match(lines.join('\n'), /the agent a: the tool "act" is left out: it /);
    });

  it('one that the server declares twice is left out', async () => {
    mcp.tools = [declare('act'), declare('act', { description: 'Another.' })];
    assert.deepEqual(tools(await open(`${BASE}${entry(mcp.url)}`)), []);
    assert.match(lines.join(), /is declared 2 times/);
  });

  it('a recursive schema is offered, and arguments are held against it', async () => {
    const node = {
      type: 'object',
      properties: { name: { type: 'string' }, child: { $ref: '#/$defs/node' } },
    };
    const inputSchema = {
      ...{ type: 'object', properties: { node: { $ref: '#/$defs/node' } } },
      $defs: { node },
    };
    mcp.change('act', { inputSchema });
    assert.equal(tools(await open(`${BASE}${entry(mcp.url)}`)).length, 1);
  });

  it('where the server is down the agent waits, a line names it and the server, and it is taken when the server is back', async () => {
    await mcp.down();
    const registry = await open(`${BASE}${entry(mcp.url)}`);
    assert.equal(registry.isWaiting('a'), true);
    assert.match(lines.join(), new RegExp(`the agent a: it takes no runs.*${mcp.url}.*refused`));
    assert.deepEqual(
      tools(registry).map(({ name }) => name),
      ['x_act'],
    );
    await mcp.up();
    await until('it is taken', () => !registry.isWaiting('a'), 20_000);
    assert.equal(tools(registry)[0]?.description, 'Does act.');
  });

  it('a list without an end, and one that is none, are a server that is away', async () => {
    for (const fault of [
      { result: { tools: [], nextCursor: 'again' } },
      { result: {} },
      { no: 'html' },
    ] as const) {
      mcp.faults.set('tools/list', fault);
      assert.equal((await open(`${BASE}${entry(mcp.url)}`)).isWaiting('a'), true);
    }
  });
});
