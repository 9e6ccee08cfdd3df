// Rules of an agent file: what is taken, and what is an error with its line and the schema's field.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAgents } from '../../src/agents/load-agents.ts';
import { AgentSnapshotSchema, type ToolSnapshot } from '../../src/contract/agent.ts';
import { codeTools } from '../../src/tools/index.ts';

describe('rules in an agent file', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdpoint-agents-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const load = (text: string) => {
    writeFileSync(join(dir, 'a.yaml'), text);
    return loadAgents(dir, { codeTools, secret: () => undefined });
  };
  const INPUT =
    '{ type: object, properties: { amountCents: { type: integer }, orderId: { type: string }, note: { type: string } } }';
  /** The first rule stands in line 9. */
  const file = (rules: readonly string[], more: readonly string[] = [], input = INPUT): string =>
    [
      'id: a',
      'model: gpt-4o',
      'tools:',
      '  - name: refund',
      `    input: ${input}`,
      '    http: { method: POST, url: "http://127.0.0.1:9/refund" }',
      '    approval:',
      '      rules:',
      ...rules.map((rule) => `        - ${rule}`),
      ...more,
    ].join('\n');
  const problems = (...of: Parameters<typeof file>): readonly string[] => {
    const loaded = load(file(...of));
    assert.ok('problems' in loaded, 'the file was taken');
    return loaded.problems;
  };
  const tool = (...of: Parameters<typeof file>): ToolSnapshot => {
    const loaded = load(file(...of));
    assert.ok('agents' in loaded, JSON.stringify(loaded));
    const [agent] = loaded.agents.values();
    const [only] = AgentSnapshotSchema.parse(agent).tools;
    assert.ok(only !== undefined);
    return only;
  };
  const NAMES_ALL = 'args.amountCents <= 2000 && args.orderId.startsWith("o-") && args.note == ""';

  it('are kept in the snapshot; the approval beside them is required, for who knows no rules', () => {
    const { rules, otherwise, approval } = tool(
      [
        `{ name: small, when: '${NAMES_ALL}', then: never }`,
        `{ name: large, when: 'args.amountCents > 50000', then: required, quorum: 2, approvers: ["role:lead"], risk: high, reason: Two of us., shadow: true }`,
      ],
      ['      otherwise: refuse'],
    );
    assert.deepEqual([approval, otherwise], ['required', 'refuse']);
    assert.deepEqual(rules?.[1], {
      name: 'large',
      when: 'args.amountCents > 50000',
      then: 'required',
      quorum: 2,
      approvers: ['role:lead'],
      risk: 'high',
      reason: 'Two of us.',
      shadow: true,
    });
    assert.equal(tool([`{ name: a, when: 'true', then: refuse }`]).otherwise, 'required');
  });

  it('may be those of a tool in code', () => {
    const loaded = load(
      `id: a\nmodel: m\ntools:\n  - name: send_email\n    approval:\n      rules:\n        - { name: far, when: '!args.to.endsWith("@example.com")', then: refuse }\n        - { name: bad, when: 'args.recipient == ""', then: refuse }\n`,
    );
    assert.ok('problems' in loaded);
    assert.equal(loaded.problems.length, 1);
    assert.match(
      loaded.problems[0] ?? '',
      /^a\.yaml:8: tools\[0\]\.approval\.rules\[1\]\.when: .*"recipient"/,
    );
  });

  it('are an error with file, line and field where the input has no such field', () => {
    assert.deepEqual(
      problems([
        `{ name: a, when: 'args.orderId == "o-1"', then: required }`,
        `{ name: b, when: 'args.amuontCents > 5', then: required }`,
      ]),
      [
        'a.yaml:10: tools[0].approval.rules[1].when: speaks of "amuontCents", which the input does not have: it has amountCents, orderId, note',
      ],
    );
  });

  it('are an error where one says never and leaves an argument unnamed', () => {
    const never = (when: string): string => `{ name: a, when: '${when}', then: never }`;
    assert.match(
      problems([never('args.amountCents <= 2000 && args.orderId == "o-1"')])[0] ?? '',
      /^a\.yaml:9: .*whatever note is/,
    );
    assert.match(problems([never('true')])[0] ?? '', /amountCents and orderId and note/);
    for (const input of [
      '{ type: object, properties: { note: { type: string } }, additionalProperties: true }',
      '{ type: object, properties: { note: { type: string } }, patternProperties: { "^x-": { type: string } } }',
      '{ type: object, properties: { note: { type: string } }, allOf: [{ additionalProperties: { type: string } }] }',
    ])
      assert.match(
        problems([never('args.note == ""')], [], input)[0] ?? '',
        /no rule can bound/,
        input,
      );
    const hidden = `{ type: object, properties: { note: { type: string } }, anyOf: [{ properties: { to: { type: string } } }, {}] }`;
    assert.match(problems([never('args.note == ""')], [], hidden)[0] ?? '', /whatever to is/);
  });

  it('are an error where a name stands twice, a key is misspelt, a value is none, or nobody could approve', () => {
    const TABLE: readonly (readonly [readonly string[], RegExp])[] = [
      [
        [`{ name: a, when: 'true', then: refuse }`, `{ name: a, when: 'true', then: refuse }`],
        /^a\.yaml:10: .*named twice/,
      ],
      [[`{ name: a, wen: 'true', then: refuse }`], /wen.*when/],
      [[`{ name: a, when: 'true', then: always }`], /never or required or refuse/],
      [[`{ name: a, when: 'args.amountCents', then: refuse }`], /^a\.yaml:9: .*true or false/],
      [[`{ name: a, when: 'args.amountCents >', then: refuse }`], /EOF/],
      [
        [`{ name: a, when: 'true', then: required, quorum: 2, approvers: ["user:lea"] }`],
        /leaves 1 voters, but needs 2/,
      ],
      [[`{ name: a, when: 'true', then: required, approvers: [] }`], /must not be empty/],
    ];
    for (const [rules, why] of TABLE) assert.match(problems(rules).join('\n'), why);
    const none = load(
      'id: a\nmodel: m\ntools:\n  - name: send_email\n    approval: { rules: [] }\n',
    );
    assert.match(JSON.stringify(none), /must not be empty/);
  });

  describe('beside a sentence', () => {
    const told = (...lines: readonly string[]) =>
      load(
        [
          'id: a',
          'model: m',
          'tools:',
          '  - name: refund',
          `    input: ${INPUT}`,
          '    http: { method: POST, url: "http://127.0.0.1:9/refund" }',
          ...lines.map((line) => `    ${line}`),
        ].join('\n'),
      );
    const wrong = (...lines: readonly string[]): string => {
      const loaded = told(...lines);
      return 'problems' in loaded ? loaded.problems.join('\n') : 'taken';
    };

    it('every argument is in it, under a label, or hidden', () => {
      const loaded = told(
        'summary: "Refund {amountCents | money}"',
        'labels: { orderId: Order }',
        'hidden: [note]',
      );
      assert.ok('agents' in loaded, JSON.stringify(loaded));
      const [tool] = [...loaded.agents.values()][0]?.tools ?? [];
      assert.deepEqual(tool?.labels, [{ name: 'orderId', label: 'Order' }]);
      assert.match(
        wrong('summary: "Refund {amountCents | money} of {orderId}"'),
        /^a\.yaml:7: tools\[0\]\.summary: does not show note/,
      );
    });
    it('what means nothing is an error with its line', () => {
      assert.match(wrong('labels: { note: Note }'), /a\.yaml:7: .*labels: is nothing without/);
      assert.match(wrong('summary: "{amountCents | euro}"'), /filter "euro"/);
      assert.match(
        wrong('summary: "{amountCents | date} {orderId} {note}"'),
        /amountCents is integer/,
      );
      assert.match(
        wrong('summary: "{amount} {amountCents} {orderId} {note}"'),
        /names "amount", which the input does not have/,
      );
      assert.match(
        wrong('summary: "{amountCents} {orderId} {note}"', 'hidden: [', '  nope]'),
        /a\.yaml:9: .*names "nope"/,
      );
      assert.match(wrong('summary: "a\u202e {amountCents}"'), /cannot be seen/);
    });
  });
});
