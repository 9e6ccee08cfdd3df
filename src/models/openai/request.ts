// The request as it goes out, made from the transcript by one pure function: whatever the run, what
// strict servers refuse is not in it. What came from the asked model goes back as it came; what
// another model wrote goes without its fields, under ids that every server takes.

import { createHash } from 'node:crypto';
import type { CameAs } from '../came-as.ts';
import type { ModelMessage, ModelPart, ModelRequest, ModelTool, ModelToolCall } from '../model.ts';
import { placeholderAfter, placeholderFor, type Adaptation, type Placeholder } from './dialects.ts';
import { schemaToSend } from './schema-to-send.ts';

type AssistantMessage = Extract<ModelMessage, { readonly role: 'assistant' }>;
type Json = Record<string, unknown>;

/** What the longest-lived rule for names allows (OpenAI's, and everybody's after it). */
const NAME_MAX_CHARS = 64;
const NO_TEXT = 'The tool answered with no text.';

export function requestBody(request: ModelRequest, adapted: ReadonlySet<Adaptation>): Json {
  const messages = inTurns(request.messages);
  const ids = wireIds(messages, request.model);
  const lacks = signing(messages, request.model) ?? placeholderFor(request.model);
  const tools = toolsFor(request, messages);
  const { temperature, maxTokens } = request;
  return {
    model: request.model,
    messages: messages.map((message) => messageOf(message, request.model, ids, lacks)),
    stream: true,
    ...(adapted.has('no stream_options') ? {} : { stream_options: { include_usage: true } }),
    ...tools,
    ...(temperature === undefined || adapted.has('no temperature') ? {} : { temperature }),
    // The old name first: every compatible server but OpenAI's own knows it.
    ...(maxTokens === undefined
      ? {}
      : {
          [adapted.has('max_completion_tokens') ? 'max_completion_tokens' : 'max_tokens']:
            maxTokens,
        }),
  };
}

const callsOf = (message: ModelMessage): readonly ModelToolCall[] =>
  message.role === 'assistant' ? (message.toolCalls ?? []) : [];
const isBlank = (text: string): boolean => text.trim() === '';

/**
 * No empty message, and user and assistant by turns: a question without an answer goes with it,
 * neighbours of one role are one message.
 */
function inTurns(given: readonly ModelMessage[]): readonly ModelMessage[] {
  const kept: ModelMessage[] = [];
  for (const [at, message] of given.entries()) {
    const empty =
      message.role !== 'tool' &&
      isBlank(message.text) &&
      callsOf(message).length === 0 &&
      !(message.role === 'user' && (message.media?.length ?? 0) > 0);
    if (!empty) {
      const before = kept.at(-1);
      const joined = before === undefined ? undefined : joinedWith(before, message);
      if (joined === undefined) kept.push(message);
      else kept[kept.length - 1] = joined;
    } else if (
      message.role === 'assistant' &&
      at < given.length - 1 &&
      kept.at(-1)?.role === 'user'
    )
      kept.pop();
  }
  return kept;
}

function joinedWith(before: ModelMessage, next: ModelMessage): ModelMessage | undefined {
  const text = (): string => [before.text, next.text].filter((each) => !isBlank(each)).join('\n\n');
  if (before.role === 'user' && next.role === 'user') {
    const media = [...(before.media ?? []), ...(next.media ?? [])];
    return { role: 'user', text: text(), ...(media.length === 0 ? {} : { media }) };
  }
  if (before.role === 'system' && next.role === 'system') return { role: 'system', text: text() };
  if (before.role !== 'assistant' || next.role !== 'assistant') return undefined;
  return callsOf(before).length > 0 ? undefined : { ...next, text: text() };
}

/**
 * From our ids to the wire's: the provider's own where they are its, and unique in the transcript;
 * else made-up ones of nine letters and digits, which Mistral demands and everybody takes.
 */
function wireIds(messages: readonly ModelMessage[], model: string): ReadonlyMap<string, string> {
  const own = new Map<string, string>();
  const times = new Map<string, number>();
  for (const message of messages) {
    const cameAs = message.role === 'assistant' ? message.cameAs : undefined;
    for (const [at, { id }] of callsOf(message).entries()) {
      const theirs = cameAs?.model === model ? cameAs.calls[at]?.id : undefined;
      if (theirs === undefined || theirs === '') continue;
      own.set(id, theirs);
      times.set(theirs, (times.get(theirs) ?? 0) + 1);
    }
  }
  const ids = new Map<string, string>();
  const taken = new Set(times.keys());
  for (const { id } of messages.flatMap(callsOf)) {
    const theirs = own.get(id);
    const kept = theirs !== undefined && times.get(theirs) === 1 ? theirs : madeUp(id, taken);
    taken.add(kept);
    ids.set(id, kept);
  }
  return ids;
}

function madeUp(id: string, taken: ReadonlySet<string>): string {
  for (let n = 0; ; n++) {
    const hash = createHash('sha256').update(`${n} ${id}`).digest('base64');
    const made = hash.replace(/[^a-zA-Z0-9]/g, '').slice(0, 9);
    if (made.length === 9 && !taken.has(made)) return made;
  }
}

function messageOf(
  message: ModelMessage,
  model: string,
  ids: ReadonlyMap<string, string>,
  lacks: Placeholder | undefined,
): Json {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.text };
    case 'user': {
      if (message.media === undefined || message.media.length === 0)
        return { role: 'user', content: message.text };
      const text = isBlank(message.text) ? [] : [{ type: 'text', text: message.text }];
      return { role: 'user', content: [...text, ...message.media.map(partOf)] };
    }
    case 'assistant':
      return assistantOf(message, model, ids, lacks);
    case 'tool':
      return {
        role: 'tool',
        tool_call_id: ids.get(message.toolCallId) ?? message.toolCallId,
        content: isBlank(message.text) ? NO_TEXT : message.text,
      };
  }
}

function assistantOf(
  { text, toolCalls = [], cameAs }: AssistantMessage,
  model: string,
  ids: ReadonlyMap<string, string>,
  lacks: Placeholder | undefined,
): Json {
  const own = cameAs?.model === model ? cameAs : undefined;
  if (toolCalls.length === 0) return { role: 'assistant', content: text, ...own?.fields };
  return {
    role: 'assistant',
    content: isBlank(text) ? null : text,
    ...own?.fields,
    ...(hasReasoning(own) ? {} : lacks?.message),
    tool_calls: toolCalls.map((call, at) => ({
      // A model signs the first of several calls, or none of its own: then that is how it came.
      ...(at === 0 && own === undefined ? lacks?.call : {}),
      ...own?.calls[at]?.fields,
      id: ids.get(call.id) ?? call.id,
      type: 'function',
      function: {
        ...own?.calls[at]?.functionFields,
        name: legalName(call.name),
        arguments: argumentsObject(call.argumentsText),
      },
    })),
  };
}

/** A model that signs its calls in this very transcript refuses a turn without a signature. */
const signing = (messages: readonly ModelMessage[], model: string): Placeholder | undefined =>
  messages
    .flatMap((message) =>
      message.role === 'assistant' && message.cameAs?.model === model ? message.cameAs.calls : [],
    )
    .map(({ fields }) => placeholderAfter(fields))
    .find((placeholder) => placeholder !== undefined);

const hasReasoning = (own: CameAs | undefined): boolean =>
  Object.values(own?.fields ?? {}).some((value) => typeof value !== 'string' || !isBlank(value));

/** A name that no provider takes comes into a transcript where a model made it up. */
const legalName = (name: string): string => {
  const repaired = name.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, NAME_MAX_CHARS);
  return repaired === '' ? 'unnamed' : repaired;
};

function argumentsObject(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? text : '{}';
  } catch {
    return '{}';
  }
}

function partOf(part: ModelPart): Json {
  switch (part.kind) {
    case 'text':
      return { type: 'text', text: part.text };
    case 'image':
      return { type: 'image_url', image_url: { url: part.url } };
    case 'audio':
      return { type: 'input_audio', input_audio: { data: part.data, format: part.format } };
  }
}

/**
 * Absent rather than empty: servers refuse an empty list. Gateways before Bedrock and Claude refuse
 * a transcript with calls where there are none: then the names in it are declared, and
 * none may be called.
 */
function toolsFor(request: ModelRequest, messages: readonly ModelMessage[]): Json {
  const used = [...new Set(messages.flatMap(callsOf).map((call) => legalName(call.name)))];
  if (request.tools.length > 0) {
    if (request.toolChoice === undefined) return { tools: request.tools.map(toolOf) };
    return used.length === 0
      ? {}
      : { tools: request.tools.map(toolOf), tool_choice: request.toolChoice };
  }
  if (used.length === 0) return {};
  const standIns = used.map((name) => ({ name, description: 'There is no such tool.', input: {} }));
  return { tools: standIns.map(toolOf), tool_choice: 'none' };
}

const toolOf = ({ name, description, input }: ModelTool): Json => ({
  type: 'function',
  function: { name, description, parameters: schemaToSend(input) },
});
