import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { loadAgents } from '../../src/agents/load-agents.ts';
import { AgentSnapshotSchema, type AgentSnapshot } from '../../src/contract/agent.ts';
import { codeTools } from '../../src/tools/index.ts';
import { CONTRACT_SAMPLE } from './contract-sample.ts';

const SECRETS: Readonly<Record<string, string>> = {
  EMAIL_TOKEN: 'tok',
  HAS_BREAK: 'a\nb',
  EMPTY: '',
};

describe('agent files', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdpoint-agents-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const load = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    return loadAgents(dir, { codeTools, secret: (name) => SECRETS[name] });
  };
  const problems = (text: string): readonly string[] => {
    const loaded = load({ 'a.yaml': text });
    assert.ok('problems' in loaded, 'the file was taken');
    return loaded.problems;
  };
  const agent = (text: string): AgentSnapshot => {
    const loaded = load({ 'a.yaml': text });
    assert.ok('agents' in loaded, JSON.stringify(loaded));
    const [only] = loaded.agents.values();
    return AgentSnapshotSchema.parse(only);
  };
  const BASE = 'id: a\nmodel: gpt-4o\n';
  const http = (
    fields: string,
    input = '{ type: object, properties: { id: { type: string } } }',
  ): string => `${BASE}tools:\n  - name: out\n    input: ${input}\n    http: ${fields}\n`;

  it('that ship are taken, with their guarded tools open to anyone of the org', () => {
    const loaded = loadAgents(new URL('../../agents', import.meta.url).pathname, {
      codeTools,
      secret: () => undefined,
    });
    assert.ok('agents' in loaded, JSON.stringify(loaded));
    assert.deepEqual(
      [...loaded.agents.keys()],
      ['database_admin', 'finance_agent', 'handbook_agent', 'refund_agent', 'web_agent'],
    );
    const guarded = [...loaded.agents.values()].flatMap((each) =>
      AgentSnapshotSchema.parse(each).tools.filter((tool) => tool.approval === 'required'),
    );
    assert.deepEqual(
      guarded.map(({ name, approvers }) => [name, approvers]),
      [
        ['drop_table', null],
        ['send_email', null],
        ['refund_payment', null],
      ],
    );
  });

  it('have the defaults of the contract', () => {
    const { revision, ...rest } = agent(BASE);
    assert.match(revision, /^[0-9a-f]{16}$/);
    assert.deepEqual(rest, {
      id: 'a',
      name: 'a',
      description: '',
      active: true,
      orgs: null,
      model: 'gpt-4o',
      models: ['gpt-4o'],
      fallbackModels: [],
      vision: false,
      audio: false,
      temperature: null,
      maxTokens: null,
      instructions: '',
      tools: [],
      limits: {
        maxTurns: 25,
        maxToolCalls: 50,
        maxRepeats: 3,
        maxTotalTokens: 200_000,
        historyTokens: 32_000,
        timeoutMs: 240_000,
        maxRejections: 3,
      },
      approvals: { expiresAfterMs: null, quorum: 1, fourEyes: false, askAgain: 'never' },
    });
  });

  it('have the same revision whatever the order of keys and the comments, another for other content', () => {
    const first = agent(`${BASE}temperature: 1\n`).revision;
    assert.equal(agent('# a\ntemperature: 1.0\nmodel: "gpt-4o"\nid: a\n').revision, first);
    assert.notEqual(agent(`${BASE}temperature: 1.1\n`).revision, first);
  });

  it("are taken whole in the contract's own sample", () => {
    const { tools, approvals, orgs } = agent(CONTRACT_SAMPLE);
    assert.deepEqual(orgs, ['acme']);
    assert.deepEqual(approvals, {
      expiresAfterMs: 86_400_000,
      quorum: 1,
      fourEyes: false,
      askAgain: 'never',
    });
    assert.deepEqual(
      tools.map(({ name, kind, approval }) => [name, kind, approval]),
      [
        ['get_stock_price', 'code', 'never'],
        ['send_email', 'http', 'required'],
      ],
    );
    assert.ok(!JSON.stringify(tools).includes('tok"'), 'a secret is in the snapshot');
    assert.equal(tools[1]?.http?.headers['Authorization'], 'Bearer ${EMAIL_TOKEN}');
  });

  it('take overrides of a tool in code, and durations of every tx', () => {
    const { tools } = agent(
      `${BASE}tools:\n  - { name: get_stock_price, approval: required, risk: high, approvers: [operator, "user:ada"], timeoutMs: 7 }\n`,
    );
    const [{ approval, risk, approvers, timeoutMs, kind, version } = assert.fail()] = tools;
    assert.deepEqual(
      { approval, risk, approvers, timeoutMs, kind },
      {
        approval: 'required',
        risk: 'high',
        approvers: ['operator', 'user:ada'],
        timeoutMs: 7,
        kind: 'code',
      },
    );
    assert.equal(version, codeTools.get('get_stock_price')?.version);
    for (const [text, ms] of [
      ['3s', 3000],
      ['5m', 300_000],
      ['24h', 86_400_000],
      ['7d', 604_800_000],
      ['500ms', 500],
    ] as const)
      assert.equal(
        agent(`${BASE}approvals: { expiresAfter: ${text} }\n`).approvals.expiresAfterMs,
        ms,
      );
  });

  it('are answered with every problem of every file, each with its line', () => {
    const loaded = load({
      'finance.yaml':
        'id: f\nmodel: m\n\ntemperature: 3\nlimits:\n  maxTurns: 501\n  maxToolCalls: 1001\ncolour: red\n',
      'other.yml':
        'model: m\ntools:\n  - get_stock_price\n  - name: send_email\n    approvers: []\n    readOnly: true\n  - nothing\nmaxTokens: 0\n',
      'twice.yaml': 'model: m\nid: f\n',
      'note.txt': 'not: an agent',
    });
    assert.ok('problems' in loaded);
    const known = / \(known here: .*\)$/;
    assert.deepEqual(
      loaded.problems.map((problem) => problem.replace(known, '')),
      [
        'finance.yaml:4: temperature: must be at most 2',
        'finance.yaml:6: limits.maxTurns: must be at most 500',
        'finance.yaml:7: limits.maxToolCalls: must be at most 1000',
        'finance.yaml:8: colour: is not known here',
        'other.yml:1: id: is missing',
        'other.yml:5: tools[1].approvers: must not be empty: nobody could approve; left out, it means anyone of the org with the scope',
        'other.yml:6: tools[1].readOnly: is not known here',
        'other.yml:7: tools[2]: there is no tool "nothing" in code (there are get_stock_price, send_email, list_tables, count_rows, drop_table, read_page, refund_payment), and an HTTP tool needs http',
        'other.yml:8: maxTokens: must be at least 1',
        'twice.yaml:2: id: is used by finance.yaml already',
      ],
    );
  });

  it('are refused with the line for broken YAML, duplicate keys, unknown tags, aliases that multiply and no content', () => {
    assert.match(problems('id: a\nmodel: [\n')[0] ?? '', /^a\.yaml:[23]: /);
    assert.match(problems('id: a\nmodel: m\nid: b\n').join(), /^a\.yaml:3: .*unique/);
    assert.match(problems('id: !js a\nmodel: m\n')[0] ?? '', /^a\.yaml:1: .*tag/i);
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'
        .split('')
        .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join()}]`),
    ].join('\n');
    assert.deepEqual(problems(bomb), ['a.yaml:1: uses too many aliases']);
    assert.match(problems('['.repeat(100_000))[0] ?? '', /^a\.yaml:1: /);
    assert.deepEqual(problems(''), ['a.yaml:1: is empty']);
    assert.deepEqual(problems('- a\n'), ['a.yaml:1: must be a mapping']);
    assert.match(
      problems('id: a\nmodel: m\ninstructions: "a\\0b"\n')[0] ?? '',
      /^a\.yaml:3: "instructions" contains the character U\+0000/,
    );
  });

  it('never throw, whatever is in them', () => {
    const line = fc.constantFrom(
      'id: a',
      'model: m',
      'tools:',
      '  - x',
      '  - {http: {}}',
      '  - name: [',
      'limits: 3',
      'approvals: {quorum: ${A}}',
      '&a',
      '*a',
      '? {}',
      '<<: *a',
      '__proto__: {}',
      '.nan: .inf',
      'tools: {a: 1}',
      'temperature: .nan',
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => void load({ 'a.yaml': lines.join('\n') })),
      { numRuns: 300 },
    );
  });

  it('have the built-in tools that knowledge and memory bring, with a policy of their own where they list them', () => {
    const loaded = load({
      'a.yaml': `${BASE}knowledge: [handbook, manual]\nmemory: user\ntools:\n  - name: remember\n    approval: required\n`,
      'b.yaml': BASE.replace(/^id: .*$/m, 'id: plain'),
    });
    assert.ok('agents' in loaded, JSON.stringify(loaded));
    const [knowing, plain] = [...loaded.agents.values()];
    assert.deepEqual(knowing?.tools.map(({ name, approval }) => `${name} ${approval}`).toSorted(), [
      'forget never',
      'recall never',
      'remember required',
      'search_knowledge never',
    ]);
    assert.match(
      knowing?.tools.find(({ name }) => name === 'search_knowledge')?.description ?? '',
      /The bases are: handbook, manual\./,
    );
    assert.deepEqual(plain?.tools, []);
    assert.ok(!('knowledge' in (plain ?? {})) && !('memory' in (plain ?? {})));
  });

  it('may not misspell knowledge or memory, nor list a built-in tool without what it works on', () => {
    assert.match(
      problems(`${BASE}knowledge: handbook\n`).join(),
      /^a\.yaml:3: knowledge: must be a list$/,
    );
    assert.match(problems(`${BASE}knowlege: [handbook]\n`).join(), /^a\.yaml:3: .*knowledge/);
    assert.match(
      problems(`${BASE}memory: users\n`).join(),
      /^a\.yaml:3: memory: must be user or off$/,
    );
    assert.match(
      problems(`${BASE}knowledge: [Hand Book]\n`).join(),
      /^a\.yaml:3: knowledge\[0\]: /,
    );
    assert.deepEqual(problems(`${BASE}tools: [recall]\n`), [
      'a.yaml:3: tools[0]: the tool "recall" needs memory: user',
    ]);
    assert.deepEqual(problems(`${BASE}memory: user\ntools: [search_knowledge]\n`), [
      'a.yaml:4: tools[0]: the tool "search_knowledge" needs knowledge: [a base]',
    ]);
  });

  it('may not declare a wrong duration, approver, id, tool name or a tool twice', () => {
    for (const bad of ['1 minute', '-5', '1w', '"-5m"', '0s', '1.5h', '""', '99999d'])
      assert.match(
        problems(`${BASE}approvals: { expiresAfter: ${bad} }\n`).join(),
        /^a\.yaml:3: approvals\.expiresAfter: must be /,
      );
    assert.match(
      problems(`${BASE}tools: [{ name: send_email, approvers: [ada] }]\n`).join(),
      /tools\[0\]\.approvers\[0\]: must be user:…, role:… or operator/,
    );
    assert.match(problems('id: 1a\nmodel: m\n').join(), /^a\.yaml:1: id: must be a letter/);
    assert.deepEqual(
      problems(`${BASE}tools:\n  - send_email\n  - name: send_email\n    risk: high\n`),
      ['a.yaml:5: tools[1]: the tool "send_email" is named twice'],
    );
    assert.match(
      problems(
        `${BASE}tools: [{ name: send_email, approvers: ["user:a"] }]\napprovals: { quorum: 2 }\n`,
      ).join(),
      /names 1 voters, but approvals\.quorum is 2/,
    );
  });

  it('may put ${NAME} into the address and the headers of an HTTP tool only, never one of ours, and never one that is unset', () => {
    agent(
      http('{ method: POST, url: "http://h/${EMAIL_TOKEN}", headers: { A: "x ${EMAIL_TOKEN}" } }'),
    );
    const says = (fields: string): string => problems(http(fields)).join('\n');
    assert.equal(
      says('{ method: POST, url: "http://h/${NOT_SET}" }'),
      'a.yaml:6: tools[0].http.url: names NOT_SET, which is not set in the environment',
    );
    assert.match(
      says('{ method: POST, url: "http://h/", headers: { A: "${EMPTY}" } }'),
      /headers\.A: names EMPTY, which is not set/,
    );
    for (const own of [
      'JWT_SECRET',
      'OPENAI_API_KEY',
      'DATABASE_URL',
      'MIGRATION_DATABASE_URL',
      'AUDIT_KEY',
      'PAYLOAD_KEYS',
      'TEMPORAL_API_KEY',
      'TEMPORAL_TLS_CLIENT_KEY_DATA',
      'TEMPORAL_TLS_X',
    ])
      assert.match(
        says(`{ method: POST, url: "http://h/", headers: { A: "\${${own}}" } }`),
        new RegExp(`names ${own}, which is a setting of Holdpoint's own`),
      );
    assert.match(
      says('{ method: POST, url: "http://h/", headers: { A: "${HAS_BREAK}" } }'),
      /headers\.A: has a character that no header may hold$/,
    );
    assert.match(
      problems(`${BASE}instructions: use \${EMAIL_TOKEN}\n`).join(),
      /^a\.yaml:3: instructions: has a \$\{NAME\}/,
    );
    assert.match(
      problems(
        http(
          '{ method: POST, url: "http://h/" }',
          '{ type: object, description: "${EMAIL_TOKEN}" }',
        ),
      ).join(),
      /input\.description: has a \$\{NAME\}/,
    );
  });

  it('may not declare an HTTP tool that could never be called', () => {
    const says = (fields: string, input?: string): string =>
      problems(http(fields, input)).join('\n');
    agent(http('{ method: GET, url: "http://h/{id}?q={id}" }'));
    assert.match(
      says('{ method: GET, url: "http://h/{other}" }'),
      /http\.url: has the place \{other\}, but the input has no such property/,
    );
    assert.match(says('{ method: GET, url: "http://{id}/x" }'), /has the place \{id\} in the host/);
    assert.match(says('{ method: GET, url: "ftp://h/" }'), /must be an http or https address/);
    assert.match(says('{ method: GET, url: "h/x" }'), /must be an http or https address/);
    assert.match(says('{ method: HEAD, url: "http://h/" }'), /http\.method: must be GET or POST/);
    assert.match(
      says('{ method: POST, url: "http://h/", headers: { Idempotency-Key: x } }'),
      /is set by Holdpoint itself/,
    );
    assert.match(
      says(
        '{ method: POST, url: "http://h/" }',
        '{ type: object, properties: { a: { type: text } } }',
      ),
      /input: is not a valid JSON Schema/,
    );
    assert.match(
      says('{ method: POST, url: "http://h/" }', '{ type: string }'),
      /input: must have "type: object"/,
    );
    for (const method of ['GET', 'DELETE']) {
      const input =
        '{ type: object, properties: { a: { type: [object, "null"] }, b: { type: array, items: { type: object } }, c: { type: array } } }';
      assert.equal(
        says(`{ method: ${method}, url: "http://h/" }`, input).match(
          /is an object, which cannot stand in a query/g,
        )?.length,
        2,
      );
      agent(http('{ method: PUT, url: "http://h/" }', input));
    }
  });

  it('are one problem where their directory cannot be read, and none where it is empty', () => {
    const missing = loadAgents(join(dir, 'gone'), { codeTools, secret: () => undefined });
    assert.ok('problems' in missing && missing.problems.length === 1);
    mkdirSync(join(dir, 'folder.yaml'));
    const empty = loadAgents(dir, { codeTools, secret: () => undefined });
    assert.ok('agents' in empty && empty.agents.size === 0);
  });
});
