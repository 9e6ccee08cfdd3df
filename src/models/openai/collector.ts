// Puts a reply together from the chunks of a chat completion, and judges at its end whether it is
// one. Trusts no field of a chunk. Must not import openai: it reads JSON as it came. No timers and
// no network here.

import {
  ModelError,
  type ModelDelta,
  type ModelReply,
  type ModelToolCall,
  type ModelUsage,
} from '../model.ts';

/**
 * Answer, arguments and reasoning together. Past any real answer, below what one row, one event and
 * one message can carry.
 */
const REPLY_MAX_BYTES = 1024 * 1024;

interface OpenCall {
  readonly index: number | undefined;
  id: string;
  name: string;
  argumentsText: string;
}

export interface ReplyCollector {
  /** @throws ModelError OUTPUT_TOO_LARGE */
  take(chunk: unknown): void;
  /** Whether the provider has said that the reply is complete. */
  finished(): boolean;
  usage(): ModelUsage | null;
  /** @throws ModelError where what came is no complete reply. */
  reply(model: string): ModelReply;
}

export function createReplyCollector(onDelta: (delta: ModelDelta) => void): ReplyCollector {
  const calls: OpenCall[] = [];
  let text = '';
  let reasoning = '';
  let finish: string | undefined;
  let usage: ModelUsage | null = null;
  let bytes = 0;

  const count = (piece: string): void => {
    bytes += Buffer.byteLength(piece);
    if (bytes > REPLY_MAX_BYTES)
      throw new ModelError('OUTPUT_TOO_LARGE', 'The model wrote more than 1 MiB in one reply.', {
        usage,
      });
  };
  const say = (kind: ModelDelta['kind'], piece: string): void => {
    if (piece === '') return;
    count(piece);
    if (kind === 'CONTENT') text += piece;
    else reasoning += piece;
    onDelta({ kind, text: piece });
  };

  function takeCall(fragment: Record<string, unknown>): void {
    const { name, arguments: pieces } = recordOf(fragment['function']);
    const piece = {
      id: textOf(fragment['id']),
      name: textOf(name),
      argumentsText: argumentsOf(pieces),
    };
    count(piece.name + piece.argumentsText);
    const index = typeof fragment['index'] === 'number' ? fragment['index'] : undefined;
    const open =
      index === undefined
        ? lastNamed(calls, piece.id, piece.name)
        : calls.findLast((call) => call.index === index);
    if (open === undefined || startsAnother(open, piece)) {
      calls.push({ index, ...piece });
      return;
    }
    open.id ||= piece.id;
    open.name ||= piece.name;
    open.argumentsText += piece.argumentsText;
  }

  function reply(model: string): ModelReply {
    const toolCalls = calls.map(({ id, name, argumentsText }, at): ModelToolCall => ({
      id: id || `call_${at}`,
      name,
      argumentsText,
    }));
    const finishReason = judged(finish, text, calls.length, usage);
    return { text, reasoning, toolCalls, finishReason, model, usage };
  }

  return {
    take(chunk) {
      const { choices, usage: reported } = recordOf(chunk);
      usage = usageOf(reported) ?? usage;
      for (const each of listOf(choices)) {
        const choice = recordOf(each);
        if (typeof choice['index'] === 'number' && choice['index'] !== 0) continue;
        const delta = recordOf(choice['delta']);
        // Two names for the same thing (vLLM's and Ollama's); a server that sends both sends the
        // same text in both.
        say('REASONING', textOf(delta['reasoning_content']) || textOf(delta['reasoning']));
        say('CONTENT', textOf(delta['content']) || textOf(delta['refusal']));
        for (const fragment of listOf(delta['tool_calls'])) takeCall(recordOf(fragment));
        if (typeof choice['finish_reason'] === 'string' && choice['finish_reason'] !== '')
          finish = choice['finish_reason'];
      }
    },
    finished: () => finish !== undefined,
    usage: () => usage,
    reply,
  };
}

/**
 * A cut or aborted stream ends exactly as a complete one does: only a finish reason tells them
 * apart.
 */
function judged(
  finish: string | undefined,
  text: string,
  calls: number,
  usage: ModelUsage | null,
): ModelReply['finishReason'] {
  switch (finish) {
    case undefined:
    case 'error': // OpenRouter
    case 'abort': // vLLM
      throw new ModelError('UNAVAILABLE', "The model's answer broke off before its end.", {
        usage,
      });
    case 'length':
      if (calls > 0)
        throw new ModelError(
          'INCOMPLETE',
          'The model ran out of output tokens in the middle of a tool call: raise maxTokens.',
          { usage },
        );
      // Nothing is no answer: all of it went into reasoning, or into a call that llama.cpp holds
      // back until it has read the name.
      if (text === '')
        throw new ModelError(
          'INCOMPLETE',
          'The model ran out of output tokens before it had said anything: raise maxTokens.',
          { usage },
        );
      return 'length';
    case 'content_filter':
      if (calls > 0 || text === '')
        throw new ModelError(
          'REJECTED',
          "The provider's content filter withheld the model's answer.",
          { usage },
        );
      return 'content_filter';
    default:
      // Some servers finish a turn of calls with `stop`: what is there counts.
      if (calls > 0) return 'tool_calls';
      if (finish === 'tool_calls' && text === '')
        throw new ModelError('UNAVAILABLE', 'The model announced tool calls and sent none.', {
          usage,
        });
      return 'stop';
  }
}

/**
 * Without an index a fragment belongs to the call of its id, or to the latest one; a name alone
 * starts a call.
 */
function lastNamed(calls: readonly OpenCall[], id: string, name: string): OpenCall | undefined {
  const same = id === '' ? undefined : calls.findLast((call) => call.id === id);
  if (same !== undefined) return same;
  return name === '' ? calls.at(-1) : undefined;
}

/**
 * Some servers give every parallel call index 0 or one id for all, each call whole in one chunk;
 * others repeat name and id on every fragment. A fragment with a name starts another call if its id
 * is another, or if the arguments so far are complete.
 */
function startsAnother(open: OpenCall, piece: Omit<OpenCall, 'index'>): boolean {
  if (piece.name === '' || open.name === '') return false;
  if (piece.id !== '' && open.id !== '' && piece.id !== open.id) return true;
  return piece.argumentsText.trim() !== '' && isCompleteObject(open.argumentsText);
}

function isCompleteObject(text: string): boolean {
  if (!text.trimEnd().endsWith('}')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function usageOf(value: unknown): ModelUsage | null {
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = recordOf(value);
  return isCount(promptTokens) && isCount(completionTokens)
    ? { promptTokens, completionTokens }
    : null;
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

const recordOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A string, or the text parts of a list of parts (Mistral). */
const textOf = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : listOf(value)
        .map((part) => textOf(recordOf(part)['text']))
        .join('');

/** Ollama's older versions send the arguments parsed. */
const argumentsOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : textOf(value);
