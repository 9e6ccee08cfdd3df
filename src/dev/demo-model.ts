// The demonstration model: an OpenAI-compatible server on loopback, for `npm start` without a
// provider. aimock is the server; what it answers is demo-answers.ts. Reached over HTTP as every
// model is: nothing in Holdpoint knows that it is not one. It wants a key made at each start: aimock
// also lets every caller, pages in browsers included, read what it was last sent and plant answers.

import { randomBytes } from 'node:crypto';
import { LLMock, type ChatCompletionRequest, type FixtureResponse } from '@copilotkit/aimock';
import { estimateTokens } from '../models/estimate-tokens.ts';
import { demoAnswer, type DemoMessage } from './demo-answers.ts';

export interface DemoModel {
  /** Base URL, with `/v1`. */
  readonly url: string;
  readonly apiKey: string;
  close(): Promise<void>;
}

/** Slow enough that a newcomer sees the words come, fast enough not to be waited for. */
const WORD_GAP_MS = 10;
/**
 * Words are cut here; aimock's own cutting goes by UTF-16 units, through the middle of an emoji.
 */
const WHOLE = 1_000_000;

export async function startDemoModel({
  wordGapMs = WORD_GAP_MS,
}: { readonly wordGapMs?: number } = {}): Promise<DemoModel> {
  const apiKey = randomBytes(32).toString('base64url');
  const server = new LLMock({
    host: '127.0.0.1',
    port: 0,
    auth: { apiKeys: [apiKey] },
    chunkSize: WHOLE,
    latency: wordGapMs,
    logLevel: 'silent',
    journalMaxEntries: 1,
  });
  server.on({ predicate: () => true }, respond);
  const origin = await server.start();
  return { url: `${origin}/v1`, apiKey, close: () => server.stop() };
}

function respond(request: ChatCompletionRequest): FixtureResponse {
  const messages = request.messages.map(demoMessage);
  const answer = demoAnswer(messages, request.tools?.map((tool) => tool.function) ?? []);
  const written =
    answer.kind === 'TEXT' ? answer.text : answer.thought + JSON.stringify(answer.calls);
  const usage = {
    prompt_tokens: estimateTokens(
      messages.map((message) => message.text).join('\n') + JSON.stringify(request.tools ?? []),
    ),
    completion_tokens: estimateTokens(written),
  };
  if (answer.kind === 'TEXT')
    return { blocks: words(answer.text).map((text) => ({ type: 'text' as const, text })), usage };
  return {
    reasoning: answer.thought,
    toolCalls: answer.calls.map((call) => ({
      name: call.name,
      arguments: JSON.stringify(call.arguments),
    })),
    usage,
  };
}

const words = (text: string): readonly string[] => text.match(/\s*\S+\s*/g) ?? [text];

function demoMessage({
  role,
  content,
  tool_calls: calls,
  tool_call_id: id,
}: ChatCompletionRequest['messages'][number]): DemoMessage {
  const text =
    typeof content === 'string'
      ? content
      : (content ?? []).map((part) => part.text ?? '').join('\n');
  return {
    role,
    text,
    calls: (calls ?? []).map((call) => ({ id: call.id, name: call.function.name })),
    callId: id ?? '',
  };
}
