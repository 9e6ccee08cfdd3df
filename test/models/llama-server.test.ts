// What llama.cpp's server really said, byte for byte (`npm run try:model-server -- --record`),
// played again to the port. The model behind it has one layer and weights set by hand; its server,
// tokenizer, template, grammar and parser are llama.cpp's own.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { RECORDED, recorded } from './recordings.ts';
import { expectFault, startScriptedProvider, type ScriptedProvider } from './scripted-provider.ts';

describe("models: llama.cpp's server", () => {
  let provider: ScriptedProvider;
  const played = new Set<string>();
  before(async () => {
    provider = await startScriptedProvider();
  });
  after(() => provider.close());

  const play = (name: string): void => {
    played.add(name);
    provider.script = recorded('llama-server', name);
  };
  const replyTo = async (name: string) => {
    play(name);
    return provider.call();
  };
  const faultOf = async (
    name: string,
    ...expected: readonly [fault: Parameters<typeof expectFault>[1], retryable: boolean]
  ) => {
    play(name);
    return expectFault(provider, ...expected);
  };
  const callsOf = async (name: string) => {
    const { reply } = await replyTo(name);
    assert.equal(reply.finishReason, 'tool_calls');
    assert.ok(reply.toolCalls.every((call) => call.id !== ''));
    return {
      text: reply.text,
      calls: reply.toolCalls.map((call) => [call.name, JSON.parse(call.argumentsText) as unknown]),
    };
  };

  it('comes word by word, letters of several tokens whole, with usage from the chunk after the last', async () => {
    const { reply, deltas } = await replyTo('text');
    assert.deepEqual([deltas[0]?.text, deltas.at(-1)?.text], ['Good ', '🙂']);
    assert.deepEqual(reply, {
      text: 'Good day to you from a small model é 🙂',
      reasoning: '',
      toolCalls: [],
      finishReason: 'stop',
      model: 'gpt-4o', // as asked for: the server answers for every name with the only model it has
      usage: { promptTokens: 43, completionTokens: 16 },
    });
  });

  it('sends reasoning apart from the answer', async () => {
    const { reply } = await replyTo('reasoning');
    assert.deepEqual(
      [reply.reasoning, reply.text],
      ['The user wants me to think.\n', 'I have thought.'],
    );
  });

  it('cuts an answer at max_tokens, and one that fills its context, with length', async () => {
    const cut = (await replyTo('length')).reply;
    assert.deepEqual(
      [cut.finishReason, cut.text, cut.usage?.completionTokens],
      ['length', 'Good day to ', 3],
    );
    const full = (await replyTo('context-full')).reply;
    assert.deepEqual(
      [full.finishReason, (full.usage?.promptTokens ?? 0) + (full.usage?.completionTokens ?? 0)],
      ['length', 8192],
    );
  });

  it('sends a call in fragments of its arguments, several calls by index, and text before one', async () => {
    assert.deepEqual((await callsOf('tool-call')).calls, [['get_stock_price', { ticker: 'NVDA' }]]);
    assert.deepEqual((await callsOf('parallel-calls')).calls, [
      ['get_stock_price', { ticker: 'AAPL' }],
      ['get_stock_price', { ticker: 'MSFT' }],
    ]);
    assert.deepEqual(await callsOf('send-email'), {
      text: 'I will send it.\n',
      calls: [['send_email', { to: 'ada@example.com', subject: 'NVDA', body: 'It is at 181.50.' }]],
    });
  });

  it('answers a transcript with calls and results, and takes the schemas of the example tools', async () => {
    assert.equal((await replyTo('transcript')).reply.text, 'NVDA is at 181.50 dollars.');
    assert.deepEqual((await callsOf('example-tools')).calls, [
      ['get_stock_price', { ticker: 'NVDA' }],
    ]);
  });

  it('that runs out of tokens in a call has answered nothing, also where it held the whole call back: INCOMPLETE, with the usage', async () => {
    assert.equal((await faultOf('tool-call-cut', 'INCOMPLETE', false)).usage?.completionTokens, 5);
    assert.equal(
      (await faultOf('tool-call-cut-early', 'INCOMPLETE', false)).usage?.completionTokens,
      2,
    );
  });

  it('refuses a prompt longer than its context by a type of its own: CONTEXT_TOO_LONG', async () => {
    await faultOf('context-too-long', 'CONTEXT_TOO_LONG', false);
  });

  it('answers 500 to an image for a model without eyes, which no other attempt would mend: REJECTED', async () => {
    assert.equal(
      (await faultOf('image', 'REJECTED', false)).message,
      'The model takes no image input.',
    );
  });

  it('is asked again while it loads its model', async () => {
    await faultOf('loading', 'UNAVAILABLE', true);
  });

  it('refuses a wrong key, an unknown route, a bad schema and what its template cannot say, for good and without its own words', async () => {
    for (const [name, said] of [
      ['wrong-key', '401 (authentication_error)'],
      ['unknown-route', '404 (not_found_error)'],
      ['bad-schema', '400 (invalid_request_error)'],
      ['template-refuses', '400 (invalid_request_error)'],
    ] as const)
      assert.ok((await faultOf(name, 'REJECTED', false)).message.endsWith(`with ${said}.`), name);
  });

  it('was recorded in nothing that is not played here', () => {
    assert.deepEqual(
      readdirSync(new URL('llama-server/', RECORDED)).sort(),
      [...played].map((name) => `${name}.txt`).sort(),
    );
  });
});
