// What the strictest servers refuse in a request, each rule as a sentence: OpenAI on names, ids and
// schemas, Mistral on ids that others made, Anthropic and GLM behind gateways on empty messages,
// Bedrock on tools, chat templates on turns.

import assert from 'node:assert/strict';

interface Call {
  readonly id: string;
  readonly type: string;
  readonly function: { readonly name: string; readonly arguments: string };
}
interface Message {
  readonly role: string;
  readonly content: unknown;
  readonly tool_calls?: readonly Call[];
  readonly tool_call_id?: string;
}
export interface Body {
  readonly messages: readonly Message[];
  readonly tools?: readonly {
    readonly function: { readonly name: string; readonly parameters: object };
  }[];
  readonly tool_choice?: string;
}

const isBlank = (content: unknown): boolean =>
  content === null ||
  (typeof content === 'string' && content.trim() === '') ||
  (Array.isArray(content) && content.length === 0);

/** Throws for the first thing that a strict server would refuse. */
export function strictServer({ messages, tools = [] }: Body): void {
  checkTurns(messages);
  const calls = messages.flatMap((message) => message.tool_calls ?? []);
  const ids = calls.map((call) => call.id);
  assert.equal(new Set(ids).size, ids.length, `an id stands twice: ${ids.join(', ')}`);
  for (const { id, type, function: of } of calls) {
    assert.notEqual(id, '', 'a call without an id');
    assert.equal(type, 'function');
    assert.match(of.name, /^[a-zA-Z0-9_-]{1,64}$/);
    const value: unknown = JSON.parse(of.arguments);
    assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), of.arguments);
  }
  assert.ok(calls.length === 0 || tools.length > 0, 'calls in the messages and no tools');
  for (const { function: of } of tools) {
    assert.match(of.name, /^[a-zA-Z0-9_-]{1,64}$/);
    checkSchema(of.parameters);
  }
}

function checkTurns(messages: readonly Message[]): void {
  let before = 'none';
  let open: string[] = [];
  for (const [at, message] of messages.entries()) {
    const { role, content, tool_calls: calls = [] } = message;
    const where = `message ${at} (${role} behind ${before})`;
    assert.ok(!isBlank(content) || calls.length > 0, `${where} is empty`);
    if (role === 'system') assert.equal(before, 'none', where);
    if (role === 'user') assert.ok(['none', 'system', 'assistant'].includes(before), where);
    if (role === 'assistant') assert.ok(['user', 'tool'].includes(before), where);
    if (role === 'tool') {
      assert.ok(open.includes(message.tool_call_id ?? ''), `${where} answers no call`);
      open = open.filter((id) => id !== message.tool_call_id);
    } else {
      assert.deepEqual(open, [], `${where}: calls without a result`);
      open = calls.map((call) => call.id);
    }
    before = role;
  }
  assert.deepEqual(open, [], 'calls without a result at the end');
  assert.ok(['user', 'tool'].includes(before), `the last message is of the ${before}`);
}

function checkSchema(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  const { type, properties, items, $schema } = schema as Record<string, unknown>;
  const types = Array.isArray(type) ? type : [type];
  assert.equal($schema, undefined);
  if (types.includes('object')) assert.ok(typeof properties === 'object', JSON.stringify(schema));
  if (types.includes('array')) assert.notEqual(items, undefined, JSON.stringify(schema));
  for (const child of Object.values((properties ?? {}) as object)) checkSchema(child);
  checkSchema(items);
}
