// Answers in the documented forms of providers (recorded/README.md), played to the port in pieces.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import type { ModelFault, ModelReply } from '../../src/models/model.ts';
import { RECORDED, recorded } from './recordings.ts';
import { expectFault, startScriptedProvider, type ScriptedProvider } from './scripted-provider.ts';

const OSLO = '{"city":"Oslo"}';
const ROME = '{"city":"Rome"}';
const said = ({ text, reasoning, toolCalls, finishReason, usage }: ModelReply) => ({
  text,
  reasoning,
  calls: toolCalls.map((call) => [call.id, call.argumentsText]),
  finishReason,
  promptTokens: usage?.promptTokens,
});
const calls = (promptTokens: number, ...of: readonly (readonly [string, string])[]) => ({
  text: '',
  reasoning: '',
  calls: of.map((each) => [...each]),
  finishReason: 'tool_calls',
  promptTokens,
});

describe('models: documented forms', () => {
  let provider: ScriptedProvider;
  const played = new Set<string>();
  before(async () => {
    provider = await startScriptedProvider();
  });
  after(() => provider.close());

  const play = (name: string): void => {
    played.add(name);
    provider.script = recorded('documented', name);
  };
  const replyTo = async (name: string): Promise<ModelReply> => {
    play(name);
    return (await provider.call()).reply;
  };

  it('of replies are read as the replies that they are', async () => {
    const cases: Readonly<Record<string, ReturnType<typeof said>>> = {
      'gemini-signed-calls': calls(90, ['function-call-1417', OSLO], ['function-call-1418', ROME]),
      'deepseek-thinking-call': {
        ...calls(80, ['call_00_9nLfpIQ6', OSLO]),
        reasoning: 'I need the weather.',
      },
      'kimi-call-ids': {
        ...calls(70, ['functions.lookup:0', OSLO], ['functions.lookup:1', ROME]),
        reasoning: 'Both cities.',
      },
      'mistral-calls': calls(
        94,
        ['D681PevKs', '{"city": "Oslo"}'],
        ['9X3aBcD2e', '{"city": "Rome"}'],
      ),
      'mistral-thinking': {
        text: 'Four.',
        reasoning: 'Two and two.',
        calls: [],
        finishReason: 'stop',
        promptTokens: 9,
      },
      'openrouter-thoughts': { ...calls(60, ['toolu_01', OSLO]), reasoning: 'Let me.' },
      'azure-filters-first': {
        text: 'Hello.',
        reasoning: '',
        calls: [],
        finishReason: 'stop',
        promptTokens: 8,
      },
      'groq-usage': {
        text: 'Hello.',
        reasoning: '',
        calls: [],
        finishReason: 'stop',
        promptTokens: 12,
      },
      'ollama-calls-at-zero': calls(165, ['call_abc12345', OSLO], ['call_def67890', ROME]),
      'minimax-empty-role': {
        text: 'Hello.',
        reasoning: 'Greet.',
        calls: [],
        finishReason: 'stop',
        promptTokens: 5,
      },
    };
    for (const [name, expected] of Object.entries(cases))
      assert.deepEqual(said(await replyTo(name)), expected, name);
  });

  it('of what must come back are kept', async () => {
    assert.deepEqual((await replyTo('gemini-signed-calls')).toolCalls[0]?.fields, {
      extra_content: { google: { thought_signature: 'EjQKMgEMOdbHJA==' } },
    });
    assert.deepEqual((await replyTo('deepseek-thinking-call')).fields, {
      reasoning_content: 'I need the weather.',
    });
    assert.deepEqual((await replyTo('openrouter-thoughts')).fields?.['reasoning_details'], [
      {
        type: 'reasoning.text',
        text: 'Let me.',
        format: 'anthropic-claude-v1',
        index: 0,
        signature: 'Et8BCmUIDxgC',
      },
    ]);
  });

  it('of refusals and break-offs are those', async () => {
    const cases: readonly (readonly [string, ModelFault, boolean])[] = [
      ['gemini-malformed-call', 'INCOMPLETE', true],
      ['gemini-rate', 'RATE_LIMITED', true],
      ['deepseek-balance', 'QUOTA_EXHAUSTED', false],
      ['openrouter-mid-stream-error', 'UNAVAILABLE', true],
      ['groq-call-failed', 'INCOMPLETE', true],
      ['minimax-not-authorized', 'REJECTED', false],
      ['vllm-too-long', 'CONTEXT_TOO_LONG', false],
      ['bedrock-gateway-too-long', 'CONTEXT_TOO_LONG', false],
    ];
    for (const [name, fault, retryable] of cases) {
      play(name);
      await expectFault(provider, fault, retryable);
    }
  });

  it('of parameters that are not taken are tried once more without', async () => {
    for (const [name, request] of [
      ['azure-max-tokens', { maxTokens: 5 }],
      ['kimi-temperature', { temperature: 0.2 }],
      ['mistral-unknown-field', {}],
    ] as const) {
      play(name);
      const from = provider.seen.length;
      await expectFault(provider, 'REJECTED', false, { request });
      assert.equal(provider.seen.length - from, 2, name);
    }
  });

  it('are all played here', () => {
    assert.deepEqual(
      readdirSync(new URL('documented/', RECORDED)).sort(),
      [...played].map((name) => `${name}.txt`).sort(),
    );
  });
});
