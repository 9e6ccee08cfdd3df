// Each line of the tables in dialects.ts by itself, in words that no other line knows.

import assert from 'node:assert/strict';
import type { ModelRequest } from '../../src/models/model.ts';
import {
  MINIMAX_STATUS,
  MODELS_OWN_FAULT,
  REASONING_FIELDS,
  adaptationFor,
  endOf,
  placeholderAfter,
  placeholderFor,
  saysQuota,
  saysTooLong,
  statusOfNames,
  type Adaptation,
  type ReplyEnd,
} from '../../src/models/openai/dialects.ts';

const ENDS: Readonly<Record<ReplyEnd, string>> = {
  STOP: 'stop end_turn eos eos_token stop_sequence complete completed end',
  CALLS: 'tool_calls function_call tool_use tool_call tool',
  CUT: 'length max_tokens model_length max_output_tokens max_length max_new_tokens token_limit length_limit model_context_window_exceeded context_length_exceeded',
  FILTERED:
    'content_filter content_filtered guardrail_intervened safety recitation prohibited_content blocklist spii sensitive refusal',
  BROKEN:
    'error abort aborted cancelled insufficient_system_resource network_error malformed_function_call function_call_filter unexpected_tool_call timeout',
};

const TOO_LONG: readonly string[] = [
  'invalid params, context window exceeds limit',
  'ContextWindowLimit reached',
  'ContextWindow exceeds 8',
  'context size: 9 tokens exceed 8',
  'context size: your input is larger',
  'context limit: your input is longer',
  'context window: 9 tokens are over it',
  'It exceeds the max allowed input length',
  'Please reduce your messages.',
  'The request exceeds the context window of the model',
  "This model's maximum context length is 8192 tokens.",
  "This model's maximum prompt length is 8 but the request contains 9 tokens.",
  'The maximum input length of this endpoint was passed.',
  'It has more than the maximum model length.',
  'More than the maximum sequence length.',
  'The maximum prompt tokens were passed.',
  'Context length 8 is smaller: your input is over it',
  'context size: 9 tokens are too many',
  'The context limit is 8, you sent more than that',
  'Input exceeds what fits into the context size of 8',
  'The input is longer than the context length of the model',
  'A request larger than the context limit',
  'The conversation is over our context size',
  'The input token count (9) exceeds the maximum number of tokens allowed (8).',
  'The prompt token count of 9 exceeds the limit of 8.',
  'prompt is too long: 228307 tokens',
  'Input is too long for requested model.',
  'The messages are too long',
  'Your request was too long.',
  'This conversation is too long.',
  'Prompt contains 9 tokens, too large for model m',
  'Your request exceeded model token limit: 131072',
  'Prompt too long: 5152 tokens exceeds max_seq_len 2048',
  'Prompt length 9 exceeds maximum input length 8',
  '5152 tokens exceed the maximum of seq_len 2048',
  'Tokens exceed max prompt tokens',
  'Input length 9 exceeds the maximum allowed input of 8 tokens.',
  'The prompt length (9) exceeds 8.',
  'Range of input length should be [1, 30720]',
  'Please reduce the length of the messages.',
  'Please reduce your prompt.',
  'Reduce the input and try once more.',
  'Reduce your context.',
  'Please reduce the length.',
  '9 tokens in your prompt: this is more than 8',
  'The number of tokens of the request exceeds 8',
  'Tokens in the input are greater than 8',
  'litellm: context_length_exceeded by the server behind it',
  '`inputs` tokens + `max_new_tokens` must be <= 8',
];
/** Each would be too long but for the words that say what it is. */
const NOT_TOO_LONG: readonly string[] = [
  'prompt is too long: limit of tokens per min',
  'prompt is too long: limit of tokens per minute',
  'prompt is too long: limit of tokens per second',
  'prompt is too long: limit of tokens per day',
  'prompt is too long: limit of tokens per hour',
  'prompt is too long: TPM 6000',
  'prompt is too long: RPD 100',
  'prompt is too long: rate limit',
  'prompt is too long: ratelimit',
  'prompt is too long: throttled',
  'prompt is too long: please wait',
  'prompt is too long: try again in 2 s',
  'prompt is too long: slow down',
  'prompt is too long: too much concurrency',
  "'max_tokens' is too large: the maximum context length is 8",
  'max_completion_tokens must be below the maximum context length',
  'max_output_tokens should be below the maximum context length',
  'max_tokens cannot be above the maximum context length',
  'max_tokens exceeds the maximum context length',
  'max_tokens value is above the maximum context length',
  'The tool message is too long',
  'function name: input is too long',
  'image: input is too long',
  'audio: input is too long',
];
const QUOTA: readonly string[] = [
  'Insufficient Balance',
  'insufficient account balance',
  'insufficient credits',
  'insufficient funds',
  'insufficient quota',
  'Your credit balance is too low to access the API.',
  'Your team has used all available credits',
  'You have spent all of your monthly credits',
  'You are out of credits',
  'This request requires more credits',
  'You exceeded your current quota',
  'You reached your monthly spending limit',
  'Your account is in arrears',
  'Your account was suspended due to insufficient means',
];
const QUOTA_NAMES =
  'insufficient_quota billing_hard_limit_reached billing_not_active exceeded_current_quota_error insufficient_balance insufficient_credits credit_balance_too_low billing_error arrearage';
const STATUS: Readonly<Record<number, string>> = {
  400: 'invalid_request_error invalid_argument BadRequestError bad_request_error unsupported_parameter',
  401: 'authentication_error UNAUTHENTICATED unauthorized invalid_api_key',
  403: 'PERMISSION_DENIED forbidden',
  404: 'not_found_error model_not_found NotFoundError',
  422: 'unprocessable_entity validation_error',
  429: 'rate_limit_exceeded RateLimitError RESOURCE_EXHAUSTED too_many_requests',
  503: 'overloaded_error server_error INTERNAL UNAVAILABLE service_unavailable api_error timeout DEADLINE_EXCEEDED',
};
const NOT_TAKEN: readonly string[] = [
  'unsupported',
  'is not supported',
  'does not support it',
  'is not compatible',
  'is deprecated',
  'only the default is allowed',
  'only default is supported',
  'only 1 is allowed',
  'only 0.6 is supported',
  'may only be one',
  'is not allowed',
  'is not permitted',
  'is not recognized',
  'is not accepted',
  'is unrecognized',
  'is unknown',
  'extra inputs',
  'extra fields',
  'is unexpected',
  'is no longer there',
  'use something else instead',
];
const OUT_OF_RANGE: readonly string[] = [
  'between 0 and 1',
  'out of range',
  'too large',
  'too high',
  'too small',
  'too low',
  'too big',
  '<= 2',
  'less than 2',
  'greater than 0',
  'more than 0',
  'lower than 2',
  'higher than 0',
  'at most 2',
  'at least 0',
  'maximum value 2',
  'minimum of 0',
];

const words = (list: string): readonly string[] => list.split(' ');
const request: ModelRequest = { model: 'm', messages: [], tools: [], temperature: 1, maxTokens: 5 };
const adapted = (param: string, message: string, made: readonly Adaptation[] = []) =>
  adaptationFor(request, new Set(made), param, message);

describe('models: the tables of dialects', () => {
  it('know each word that a reply ends with, in any case, behind the name of its enumeration', () => {
    for (const [end, list] of Object.entries(ENDS))
      for (const word of words(list)) {
        assert.equal(endOf(word), end, word);
        assert.equal(endOf(` FinishReason.${word.toUpperCase()}: OTHER`), end, word);
      }
    assert.equal(endOf('finish_reason_stop'), 'STOP');
    assert.equal(endOf('other'), undefined);
  });

  it('know each name of reasoning, and how its pieces are put together', () => {
    assert.deepEqual(REASONING_FIELDS, {
      reasoning_content: 'text',
      reasoning: 'text',
      reasoning_text: 'text',
      reasoning_details: 'list',
      thinking_blocks: 'list',
      reasoning_opaque: 'value',
      extra_content: 'value',
    });
  });

  it('take each wording of a conversation that is too long for it, at the statuses that say so', () => {
    for (const message of TOO_LONG)
      for (const status of [undefined, 400, 413, 422, 500])
        assert.ok(saysTooLong(status, [], message), message);
    for (const message of TOO_LONG)
      for (const status of [401, 404, 429]) assert.ok(!saysTooLong(status, [], message), message);
    for (const name of words(
      'context_length_exceeded exceed_context_size_error context_window_exceeded model_context_window_exceeded context_length_error string_above_max_length request_too_large prompt_too_long',
    ))
      assert.ok(saysTooLong(400, [name.toUpperCase()], 'x'), name);
  });

  it('take no rate and no parameter for it, and no name that says something else', () => {
    for (const message of NOT_TOO_LONG) assert.ok(!saysTooLong(400, [], message), message);
    for (const name of words(
      'invalid_request_error bad_request invalid_argument invalid_prompt bad_params validation_error unprocessable_entity internal_server_error server_error api_error BadRequest',
    ))
      assert.ok(saysTooLong(400, [name], 'prompt is too long'), name);
    assert.ok(!saysTooLong(400, ['invalid_value'], 'prompt is too long'));
  });

  it('know a used-up quota by name, by 402 and by each wording, and none of them a rate', () => {
    for (const name of words(QUOTA_NAMES)) assert.ok(saysQuota(429, [name], 'x'), name);
    assert.ok(saysQuota(402, [], 'x'));
    for (const message of QUOTA)
      for (const status of [undefined, 400, 403, 429])
        assert.ok(saysQuota(status, [], message), message);
    assert.ok(!saysQuota(500, [], 'You are out of credits'));
    assert.ok(!saysQuota(429, ['RESOURCE_EXHAUSTED'], 'You exceeded your current quota'));
    assert.ok(!saysQuota(429, [], 'Too many requests'));
  });

  it('give each name of a refusal its status, and each number of MiniMax', () => {
    for (const [status, list] of Object.entries(STATUS))
      for (const name of words(list))
        assert.equal(statusOfNames(['x', name]), Number(status), name);
    assert.equal(statusOfNames(['something']), undefined);
    assert.deepEqual(MINIMAX_STATUS, {
      ...{ 1002: 429, 1004: 401, 1008: 402, 1026: 400, 1027: 400, 1039: 429 },
      ...{ 2013: 400, 2049: 401 },
    });
    assert.deepEqual([...MODELS_OWN_FAULT], ['tool_use_failed', 'output_parse_failed']);
  });

  it('change a request after each wording of a parameter that is not taken, named or in the prose', () => {
    for (const how of NOT_TAKEN) {
      assert.equal(adapted('temperature', `It ${how}`), 'no temperature', how);
      assert.equal(adapted('', `'temperature' ${how}`), 'no temperature', how);
      assert.equal(adapted('max_tokens', `It ${how}`), 'max_completion_tokens', how);
      assert.equal(adapted('', `max_tokens ${how}`), 'max_completion_tokens', how);
    }
    for (const message of ['stream_options', 'include_usage'])
      assert.equal(adapted('', `unknown field ${message}`), 'no stream_options');
    assert.equal(adapted('stream_options.include_usage', 'x'), 'no stream_options');
  });

  it('change nothing for a value out of its range, twice, or of what the request does not have', () => {
    for (const how of OUT_OF_RANGE)
      assert.equal(adapted('temperature', `unsupported: ${how}`), undefined, how);
    assert.equal(adapted('temperature', 'is bad'), undefined);
    assert.equal(adapted('temperature', 'unsupported', ['no temperature']), undefined);
    for (const param of ['temperature', 'max_tokens'])
      assert.equal(
        adaptationFor({ model: 'm', messages: [], tools: [] }, new Set(), param, 'unsupported'),
        undefined,
      );
  });

  it('know the models that refuse a turn which lacks what is their own, and those alone', () => {
    const google = { google: { thought_signature: 'skip_thought_signature_validator' } };
    for (const name of words(
      'gemini-3-pro google/gemini-10-flash gemini-flash-latest gemini-pro-latest',
    ))
      assert.deepEqual(placeholderFor(name), { call: { extra_content: google } }, name);
    for (const name of words(
      'deepseek-v4 deepseekv4 deepseek-reasoner deepseek-v3.2-thinking kimi-k2.5 kimi-k2-6 kimi-k2_7 kimi-k3 kimi-for-coding kimi-k2-thinking mimo-v2-flash',
    ))
      assert.deepEqual(placeholderFor(name), { message: { reasoning_content: ' ' } }, name);
    for (const name of words(
      'gpt-4o gemini-2.5-pro deepseek-chat deepseek-v3 kimi-k2 mistral-large',
    ))
      assert.equal(placeholderFor(name), undefined, name);
    const signed = { extra_content: { vertex: { thought_signature: 'c2ln' } } };
    assert.deepEqual(placeholderAfter(signed), {
      call: {
        extra_content: { vertex: { thought_signature: 'skip_thought_signature_validator' } },
      },
    });
    assert.equal(placeholderAfter({ extra_content: { vertex: {} } }), undefined);
  });
});
