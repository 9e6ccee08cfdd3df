// What servers of the OpenAI family send and refuse in their own way, as tables: a line has what
// was seen, where, and what follows. A new server is a new line. Pure data and the functions that
// look things up in it.

import type { CallFields, ModelRequest } from '../model.ts';
import { recordOf } from './values.ts';

export type ReplyEnd = 'STOP' | 'CALLS' | 'CUT' | 'FILTERED' | 'BROKEN';

/** Lower case, without the name of an enumeration in front (`FinishReason.STOP`). */
const FINISH_WORDS: Readonly<Record<ReplyEnd, readonly string[]>> = {
  // Hugging Face, Anthropic's, Cohere's, Together's and Gemini's words behind gateways.
  STOP: ['stop', 'end_turn', 'eos', 'eos_token', 'stop_sequence', 'complete', 'completed', 'end'],
  CALLS: ['tool_calls', 'function_call', 'tool_use', 'tool_call', 'tool'],
  CUT: [
    'length', // OpenAI
    'max_tokens', // Gemini and Anthropic behind gateways
    'model_length', // Mistral
    'max_output_tokens', // gateways before the Responses API
    'max_length',
    'max_new_tokens',
    'token_limit',
    'length_limit',
    'model_context_window_exceeded', // Anthropic behind gateways
    'context_length_exceeded',
  ],
  FILTERED: [
    'content_filter', // OpenAI; Gemini adds its own word behind a colon
    'content_filtered', // Bedrock
    'guardrail_intervened', // Bedrock
    'safety', // Gemini, and the next four
    'recitation',
    'prohibited_content',
    'blocklist',
    'spii',
    'sensitive', // Z.ai
    'refusal', // Anthropic behind gateways
  ],
  BROKEN: [
    'error', // OpenRouter
    'abort', // vLLM, SGLang, Z.ai
    'aborted',
    'cancelled',
    'insufficient_system_resource', // DeepSeek
    'network_error', // Z.ai
    'malformed_function_call', // Gemini: what it wrote is no call
    'function_call_filter', // Gemini, with the word above behind a colon
    'unexpected_tool_call', // Gemini
    'timeout',
  ],
};
const ENDS: ReadonlyMap<string, ReplyEnd> = new Map(
  Object.entries(FINISH_WORDS).flatMap(([end, words]) =>
    words.map((word) => [word, end as ReplyEnd] as const),
  ),
);

/** undefined: a word that no line knows. */
export const endOf = (finish: string): ReplyEnd | undefined =>
  ENDS.get(
    finish
      .trim()
      .toLowerCase()
      .replace(/^finish_?reason[._]/, '')
      .replace(/\s*:.*$/s, ''),
  );

/**
 * The names under which reasoning comes in a message. `text` is appended, `list` merged entry by
 * entry, `value` kept as the last one came.
 */
export const REASONING_FIELDS: Readonly<Record<string, 'text' | 'list' | 'value'>> = {
  reasoning_content: 'text', // DeepSeek, Kimi, Qwen, GLM, MiniMax, vLLM, SGLang, llama.cpp
  reasoning: 'text', // OpenRouter, Ollama, Groq, Cerebras
  reasoning_text: 'text', // GitHub Copilot
  reasoning_details: 'list', // OpenRouter: signatures and encrypted thoughts of other houses
  thinking_blocks: 'list', // LiteLLM: Anthropic's thoughts with their signatures
  reasoning_opaque: 'value', // GitHub Copilot
  extra_content: 'value', // Gemini: the signature of a turn without calls
};

/**
 * Codes and types that mean "too long", and words for servers that only write it in prose. Each pattern
 * was seen at the server named behind it.
 */
const TOO_LONG_NAMES: ReadonlySet<string> = new Set([
  'context_length_exceeded', // OpenAI and most that copy it
  'exceed_context_size_error', // llama.cpp, as type
  'context_window_exceeded',
  'model_context_window_exceeded',
  'context_length_error',
  'string_above_max_length', // OpenAI, one message over its limit
  'request_too_large', // Anthropic
  'prompt_too_long',
]);
const TOO_LONG_WORDS: readonly RegExp[] = [
  /context.?window.?(exceed|limit)/i, // MiniMax, LiteLLM, Cohere
  /maximum context length/i, // OpenAI, vLLM, Mistral, OpenRouter, Together
  /maximum (prompt|input|model|sequence) (length|tokens)/i, // xAI, Groq
  /context (length|size|limit|window)\b.{0,60}\b(exceed|too|over|larger|longer|than)/i, // Ollama
  /(exceed\S*|longer than|larger than|over)\b.{0,60}\bcontext (length|size|limit|window)/i, // llama.cpp, LM Studio, SGLang, Anthropic
  /(input|prompt) token count .{0,40}exceed/i, // Gemini
  /(prompt|input|request|message\S*|conversation) (is |are |was )?too long/i, // Anthropic, Bedrock, Ollama
  /too large for model/i, // Mistral
  /exceeded model token limit/i, // Kimi
  /exceed\S* (the )?max(imum)?.{0,20}\b(input|prompt|seq\S*)[ _](len|tokens)/i, // Poolside, TensorRT-LLM
  /(input|prompt) length.{0,40}exceed/i, // NVIDIA, Qwen
  /range of input length should be/i, // Alibaba Cloud
  /reduce (the length of )?(your|the) (messages|prompt|input|context)|reduce the length/i, // OpenAI, Groq, vLLM
  /tokens? (in|of) (the|your) (prompt|request|input).{0,40}(exceed|more than|greater)/i,
  /context_?length_?exceeded/i, // names inside the prose of a gateway
  /`inputs` tokens \+ `max_new_tokens` must be/i, // Hugging Face TGI
];
/** Words of a rate: "too many tokens, please wait" is no long prompt. */
const RATE_WORDS =
  /\bper (min|minute|second|day|hour)\b|\b[TR]P[MD]\b|rate.?limit|throttl|please wait|try again in|slow down|concurren/i;
/** One parameter is too large, which a shorter conversation does not mend. */
const PARAMETER_WORDS =
  /max_(completion_|output_)?tokens['"`]? (is|must|should|cannot|exceeds|value)|\btools?\b.{0,20}too long|function name|image|audio/i;

export function saysTooLong(
  status: number | undefined,
  names: readonly string[],
  message: string,
): boolean {
  if (names.some((name) => TOO_LONG_NAMES.has(name.toLowerCase()))) return true;
  // A refusal comes with 400, 413 or 422; some gateways wrap one of the server behind them in 5xx.
  const may = status === undefined || [400, 413, 422].includes(status) || status >= 500;
  // A name of its own ("invalid_value") is specific; these only mean that the request is invalid.
  const plain = names.every((name) => !name.includes('_') || NO_GOOD.test(name));
  return (
    may &&
    plain &&
    !RATE_WORDS.test(message) &&
    !PARAMETER_WORDS.test(message) &&
    TOO_LONG_WORDS.some((words) => words.test(message))
  );
}
const NO_GOOD =
  /^((invalid|bad)_(request|argument|prompt|params?)(_|$)|validation_error|unprocessable_entity|(internal_)?server_error|api_error)/i;

/** A used-up quota, which no waiting mends. */
const QUOTA_NAMES: ReadonlySet<string> = new Set([
  'insufficient_quota', // OpenAI
  'billing_hard_limit_reached', // OpenAI
  'billing_not_active', // OpenAI
  'exceeded_current_quota_error', // Kimi
  'insufficient_balance', // DeepSeek, MiniMax
  'insufficient_credits', // OpenRouter and others
  'credit_balance_too_low',
  'billing_error', // Anthropic
  'arrearage', // Alibaba Cloud
]);
const QUOTA_WORDS =
  /insufficient (account )?(balance|credits?|funds|quota)|credit balance is too low|(used|spent) all (of )?(your|available) .{0,20}credits|out of credits|requires more credits|exceeded your current quota|monthly spending limit|account .{0,20}(arrears|suspended due to insufficient)/i;

export function saysQuota(
  status: number | undefined,
  names: readonly string[],
  message: string,
): boolean {
  if (status === 402 || names.some((name) => QUOTA_NAMES.has(name.toLowerCase()))) return true;
  // Gemini says "exceeded your current quota" of a rate too, under this name.
  if (names.includes('RESOURCE_EXHAUSTED')) return false;
  return (
    (status === undefined || status === 400 || status === 403 || status === 429) &&
    QUOTA_WORDS.test(message)
  );
}

/**
 * What a server gives as the name of a refusal where it gives no status: in an event, or in a body
 * with 200.
 */
const STATUS_OF_NAME: readonly (readonly [RegExp, number])[] = [
  [/^(invalid_request|invalid_argument|badrequest|bad_request|unsupported_)/i, 400],
  [/^(authentication|unauthenticated|unauthorized|invalid_api_key)/i, 401],
  [/^(permission|forbidden)/i, 403],
  [/^(not_found|model_not_found|notfound)/i, 404],
  [/^(unprocessable|validation)/i, 422],
  [/^(rate_limit|ratelimit|resource_exhausted|too_many_requests)/i, 429],
  [
    /^(overloaded|server_|internal|unavailable|service_unavailable|api_error|timeout|deadline)/i,
    503,
  ],
];
export const statusOfNames = (names: readonly string[]): number | undefined =>
  names
    .map((name) => STATUS_OF_NAME.find(([pattern]) => pattern.test(name))?.[1])
    .find((status) => status !== undefined);

/** MiniMax's own numbers, in `base_resp` beside a status of 200. */
export const MINIMAX_STATUS: Readonly<Record<number, number>> = {
  1002: 429,
  1004: 401,
  1008: 402,
  1026: 400,
  1027: 400,
  1039: 429,
  2013: 400,
  2049: 401,
};

/** The model wrote a call that its own server could not read: asked again, it may do better. */
export const MODELS_OWN_FAULT: ReadonlySet<string> = new Set([
  'tool_use_failed', // Groq
  'output_parse_failed', // Groq
]);

export type Adaptation = 'max_completion_tokens' | 'no temperature' | 'no stream_options';

interface AdaptationRule {
  readonly what: Adaptation;
  /** Whether the request has what was refused. */
  readonly concerns: (request: ModelRequest) => boolean;
  readonly refused: (param: string, message: string) => boolean;
}

const NOT_TAKEN =
  /unsupported|not support|not compatible|deprecated|only (the )?(default|\d+(\.\d+)?)\b.{0,30}(allowed|supported)|may only be|not (allowed|permitted|recognized|accepted)|unrecognized|unknown|extra (inputs|fields)|unexpected|no longer|instead/i;
/** A value out of its range is the caller's to mend, not ours to leave out. */
const OUT_OF_RANGE =
  /\bbetween\b|\brange\b|too (large|high|small|low|big)|[<>]=?|(less|greater|more|lower|higher) than|at (most|least)\b|\b(maximum|minimum) (value|of)\b/i;
const notTaken = (message: string): boolean =>
  NOT_TAKEN.test(message) && !OUT_OF_RANGE.test(message);

/** After exactly these refusals one more try, remembered for the model. */
const ADAPTATIONS: readonly AdaptationRule[] = [
  {
    what: 'max_completion_tokens', // OpenAI's reasoning models, also behind Azure and gateways
    concerns: ({ maxTokens }) => maxTokens !== undefined,
    refused: (param, message) =>
      (param === 'max_tokens' || /\bmax_tokens\b/.test(message)) && notTaken(message),
  },
  {
    what: 'no temperature', // the same, Kimi ("only 1 is allowed"), Claude ("is deprecated")
    concerns: ({ temperature }) => temperature !== undefined,
    refused: (param, message) =>
      (param === 'temperature' || /\btemperature\b/i.test(message)) && notTaken(message),
  },
  {
    what: 'no stream_options', // older vLLM, Mistral, Databricks, Azure's data sources
    concerns: () => true,
    refused: (param, message) =>
      param.startsWith('stream_options') || /\bstream_options\b|include_usage/.test(message),
  },
];

/** Which change of the request a refusal asks for; undefined: none of those that are made. */
export const adaptationFor = (
  request: ModelRequest,
  made: ReadonlySet<Adaptation>,
  param: string,
  message: string,
): Adaptation | undefined =>
  ADAPTATIONS.find(
    ({ what, concerns, refused }) =>
      !made.has(what) && concerns(request) && refused(param, message),
  )?.what;

/** What is put into a turn of another model where the asked one refuses a turn that lacks it. */
export interface Placeholder {
  /** In the first of its calls. */
  readonly call?: Readonly<Record<string, unknown>>;
  readonly message?: Readonly<Record<string, unknown>>;
}

/** Gemini signs its calls; Google's documents give this word for turns of other models. */
const signedBy = (vendor: string): Placeholder => ({
  call: { extra_content: { [vendor]: { thought_signature: 'skip_thought_signature_validator' } } },
});
const SIGNED_CALLS = signedBy('google');

/** A call that came signed, by Google or Vertex, shows what its model demands. */
export const placeholderAfter = (fields: CallFields['fields']): Placeholder | undefined => {
  const signed = Object.entries(recordOf(fields?.['extra_content'])).find(
    ([, of]) => recordOf(of)['thought_signature'] !== undefined,
  );
  return signed === undefined ? undefined : signedBy(signed[0]);
};

/** Models that are known by name to refuse a turn with calls which lacks what they add to their own. */
const PLACEHOLDERS: readonly (readonly [RegExp, Placeholder])[] = [
  [/gemini-([3-9]|\d{2,}|flash-latest|pro-latest)/i, SIGNED_CALLS],
  [
    // Thinking models of DeepSeek, Kimi and Xiaomi: some refuse an empty field too.
    /deepseek-?(v[4-9]|reasoner)|deepseek\S*thinking|kimi-?(k2[._-]?[5-9]|k[3-9]|for-coding)|kimi\S*thinking|mimo-v2/i,
    { message: { reasoning_content: ' ' } },
  ],
];
export const placeholderFor = (model: string): Placeholder | undefined =>
  PLACEHOLDERS.find(([name]) => name.test(model))?.[1];
