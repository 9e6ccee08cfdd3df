import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { agentFileReference, writtenReference } from '../../scripts/agent-file-reference.ts';
import { agentFileSchema } from '../../src/agents/file-schema.ts';
import { loadAgents, type LoadedAgents } from '../../src/agents/load-agents.ts';
import { codeTools } from '../../src/tools/index.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { CONTRACT_SAMPLE } from './contract-sample.ts';

const EXAMPLE = readFileSync(new URL('../../examples/agent.yaml', import.meta.url), 'utf8');
const BASE = 'id: a\nmodel: m\n';

let count = 0;
function load(files: Readonly<Record<string, string>>): LoadedAgents {
  const dir = join(tempDir(), `agents-${count++}`);
  mkdirSync(dir);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return loadAgents(dir, {
    codeTools,
    secret: (name) => (name === 'EMAIL_TOKEN' ? 'tok' : undefined),
  });
}
const problems = (text: string): readonly string[] => {
  const loaded = load({ 'a.yaml': text });
  return 'problems' in loaded ? loaded.problems : [];
};
const tool = (more: string): string =>
  `${BASE}tools:\n  - name: t\n    http: { method: POST, url: "http://127.0.0.1:9/t" }\n    ${more}\n`;

describe('the reference of the agent file', () => {
  it('is what the schema says now (npm run agent-file)', async () => {
    assert.equal(writtenReference(), await agentFileReference());
  });

  it('says what every key means', () => {
    const walk = (schema: Readonly<Record<string, unknown>>, path: string): void => {
      const properties = (schema['properties'] ?? {}) as Record<string, Record<string, unknown>>;
      for (const [name, property] of Object.entries(properties)) {
        assert.ok(property['description'], `${path}${name}`);
        walk(property, `${path}${name}.`);
      }
    };
    walk(agentFileSchema, '');
  });

  it('its example loads, and names every key that there is', () => {
    assert.deepEqual(problems(EXAMPLE), []);
    const given = parse(EXAMPLE) as Record<string, Record<string, unknown>>;
    for (const part of ['limits', 'approvals'])
      assert.deepEqual(
        Object.keys(given[part] ?? {}).toSorted(),
        Object.keys(
          (agentFileSchema['properties'] as Record<string, Record<string, object>>)[part]?.[
            'properties'
          ] ?? {},
        ).toSorted(),
      );
    assert.deepEqual(
      Object.keys(given).toSorted(),
      Object.keys(agentFileSchema['properties'] as object).toSorted(),
    );
  });

  it('the schema takes what the loader takes and refuses what it refuses', () => {
    const validate = new Ajv2020({ strict: false }).compile(agentFileSchema);
    const fits = (text: string): boolean => validate(parse(text));
    for (const text of [
      EXAMPLE,
      CONTRACT_SAMPLE,
      BASE,
      tool('timeoutMs: 1s'),
      tool('timeoutMs: 5'),
    ])
      assert.deepEqual([fits(text), problems(text)], [true, []]);
    for (const text of [
      'model: m\n',
      `${BASE}colour: red\n`,
      `${BASE}limits: { maxTurns: many }\n`,
      `${BASE}limits: { timeoutMs: soon }\n`,
      `${BASE}approvals: { quorum: 0 }\n`,
      `${BASE}temperature: 3\n`,
      `${BASE}tools: [{ name: send_email, approvers: [ada] }]\n`,
      tool('risk: extreme'),
      tool('timeoutMs: 1 minute'),
      tool('timeoutMs: 0'),
    ]) {
      assert.equal(fits(text), false, text);
      assert.notDeepEqual(problems(text), [], text);
    }
  });
});

describe('agent files that say what is wrong', () => {
  it('name the key that was probably meant, and those that there are', () => {
    for (const [text, expected] of [
      [`${BASE}instructons: x\n`, /^a\.yaml:3: instructons: .*did you mean instructions\?/],
      [
        `${BASE}limits:\n  max_turns: 3\n`,
        /^a\.yaml:4: limits\.max_turns: .*did you mean maxTurns\?/,
      ],
      [`${BASE}approvals: { quorom: 2 }\n`, /did you mean quorum\? \(known here: .*expiresAfter, /],
      [tool('idempotant: true'), /^a\.yaml:6: tools\[0\]\.idempotant: .*did you mean idempotent\?/],
      [
        tool('risk: high').replace('url:', 'adress: x, url:'),
        /tools\[0\]\.http\.adress: is not known here \(known here: headers, method, url\)/,
      ],
      [`${BASE}tools: [{ name: send_email, aprovers: [operator] }]\n`, /did you mean approvers\?/],
      [`${BASE}colour: red\n`, /^a\.yaml:3: colour: is not known here \(known here: active, /],
    ] as const)
      assert.match(problems(text).join('\n'), expected);
  });

  it('take durations in both forms everywhere, and refuse every other', () => {
    const loaded = load({
      'a.yaml': `${tool('timeoutMs: 2s')}limits: { timeoutMs: 4m }\napprovals: { expiresAfter: 2000 }\n`,
    });
    assert.ok('agents' in loaded);
    const agent = loaded.agents.get('a');
    assert.deepEqual(
      [agent?.tools[0]?.timeoutMs, agent?.limits.timeoutMs, agent?.approvals.expiresAfterMs],
      [2000, 240_000, 2000],
    );
    for (const bad of ['1 minute', '1w', '"-5m"', '0', '-3', '1.5', '"10"', '25d', 'true', '[]'])
      assert.match(
        problems(`${BASE}limits: { timeoutMs: ${bad} }\n`).join(),
        /^a\.yaml:3: limits\.timeoutMs: must be /,
        bad,
      );
  });

  it('say that a $NAME without braces is not filled in, and leave the $filter of an address alone', () => {
    const http = (url: string, header: string): string =>
      `${BASE}tools:\n  - name: t\n    http: { method: POST, url: "${url}", headers: { A: "${header}" } }\n`;
    assert.match(
      problems(http('http://h/x', 'Bearer $EMAIL_TOKEN')).join(),
      /^a\.yaml:5: tools\[0\]\.http\.headers\.A: has \$EMAIL_TOKEN without braces.*write \$\{EMAIL_TOKEN\}/,
    );
    assert.match(
      problems(http('http://h/$EMAIL_TOKEN', 'x')).join(),
      /http\.url: has \$EMAIL_TOKEN/,
    );
    assert.deepEqual(problems(http('http://h/x?$filter=a&$top=1', 'costs $5')), []);
  });

  it('files of another ending are named and not read, those that begin with a dot are left alone', () => {
    const loaded = load({ 'a.yaml': BASE, 'b.json': '{}', 'c.YAML': BASE, '.d.yaml': BASE });
    assert.ok('agents' in loaded);
    assert.deepEqual(loaded.notices, [
      'b.json: is not read: agent files end in .yaml or .yml',
      'c.YAML: is not read: agent files end in .yaml or .yml',
    ]);
  });
});
