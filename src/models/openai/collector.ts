// Puts a reply together from the chunks of a chat completion, or from whole messages in their
// place, and judges at its end whether it is one. Trusts no field of a chunk: it reads JSON as it
// came. No timers and no network here.

import type { ModelDelta, ModelReply, ModelUsage } from '../model.ts';
import { REASONING_FIELDS } from './dialects.ts';
import { createCallCollector, wholeCalls } from './fragments.ts';
import { judged } from './judge.ts';
import { createReplyTexts } from './reply-texts.ts';
import { createListMerger, listOf, recordOf, textOf, type Fields } from './values.ts';

export interface ReplyCollector {
  /**
   * Whether there was anything of a reply in it.
   *
   * @throws ModelError OUTPUT_TOO_LARGE
   */
  take(chunk: unknown): boolean;
  /** Whether a finish reason has come: more of the reply may follow all the same. */
  finished(): boolean;
  /** Whether anything of the reply has come. */
  begun(): boolean;
  /** Whether what came was a chat completion at all. */
  answered(): boolean;
  /** Whether more came after a finish reason, which then does not mark the end. */
  wentOn(): boolean;
  usage(): ModelUsage | null;
  /** @throws ModelError where what came is no complete reply. */
  reply(model: string): ModelReply;
}

export function createReplyCollector(onDelta: (delta: ModelDelta) => void): ReplyCollector {
  let finish: string | undefined;
  let usage: ModelUsage | null = null;
  const texts = createReplyTexts(onDelta, () => usage);
  const message = createMessage(texts);
  let answered = false;
  let wentOn = false;

  function takeChoice(choice: Fields): boolean {
    if (typeof choice['index'] === 'number' && choice['index'] !== 0) return false;
    const { delta, message: whole, finish_reason: reason } = choice;
    answered = true;
    const before = texts.bytes();
    message.takeDelta(recordOf(delta));
    if (typeof whole === 'object' && whole !== null) message.takeWhole(recordOf(whole));
    // Completions of the old kind, behind some gateways.
    else if (delta === undefined) texts.emit('CONTENT', textOf(choice['text']));
    if (finish !== undefined && texts.bytes() > before) wentOn = true;
    if (typeof reason === 'string' && reason !== '') finish = reason;
    return true;
  }

  return {
    take(chunk) {
      const { choices, usage: reported, x_groq: groq } = recordOf(chunk);
      const all = listOf(choices).map(recordOf);
      const counted =
        usageOf(reported) ?? usageOf(recordOf(groq)['usage']) ?? usageOf(all[0]?.['usage']);
      usage = counted ?? usage;
      let found = counted !== null;
      for (const choice of all) found = takeChoice(choice) || found;
      return found;
    },
    finished: () => finish !== undefined,
    begun: () => texts.bytes() > 0,
    answered: () => answered,
    wentOn: () => wentOn,
    usage: () => usage,
    reply(model) {
      const calls = message.calls();
      const text = texts.content();
      const reasoning = texts.reasoning();
      const finishReason = judged({ finish, text, calls, usage });
      const fields = message.fields();
      return {
        text,
        reasoning,
        toolCalls: calls ?? [],
        finishReason,
        model,
        usage,
        ...(Object.keys(fields).length === 0 ? {} : { fields }),
      };
    },
  };
}

/** The message of the reply: from its deltas, from whole messages, or from both. */
function createMessage(texts: ReturnType<typeof createReplyTexts>) {
  const calls = createCallCollector();
  const own = createOwnFields();
  let messageCalls: ReturnType<typeof wholeCalls> | undefined;
  return {
    takeDelta(delta: Fields): void {
      texts.count(own.take(delta));
      texts.take(delta);
      for (const fragment of listOf(delta['tool_calls'])) texts.count(calls.take(fragment));
      texts.count(calls.takeFunctionCall(delta['function_call']));
    },
    /**
     * A whole message: the only form, the reply so far beside each delta, or a repetition at the
     * end. Only the new part of it is emitted.
     */
    takeWhole(message: Fields): void {
      texts.takeWhole(message);
      own.takeWhole(message);
      if (calls.count() > 0) return;
      messageCalls = wholeCalls(message);
      texts.count(JSON.stringify(message['tool_calls'] ?? ''));
    },
    calls: () => (calls.count() > 0 ? calls : (messageCalls ?? calls)).calls(),
    fields: () =>
      own.fields(texts.thoughtInContent() ? [texts.reasoning(), texts.content()] : undefined),
  };
}

/** The fields of the message that go back as they came. */
function createOwnFields() {
  const texts = new Map<string, string>();
  const lists = new Map<string, ReturnType<typeof createListMerger>>();
  const values = new Map<string, unknown>();

  /** Returns what is counted for it. */
  function take(of: Fields, whole: boolean): string {
    let added = '';
    for (const [name, kind] of Object.entries(REASONING_FIELDS)) {
      const value = of[name];
      if (value === undefined || value === null) continue;
      if (kind === 'text') {
        const piece = textOf(value);
        texts.set(name, whole ? piece : (texts.get(name) ?? '') + piece);
      } else if (kind === 'value') values.set(name, value);
      else {
        const merger = (whole ? undefined : lists.get(name)) ?? createListMerger();
        merger.take(value);
        lists.set(name, merger);
      }
      if (kind !== 'text') added += JSON.stringify(value);
    }
    return added;
  }

  return {
    take: (delta: Fields): string => take(delta, false),
    /** A whole message replaces the fields of its deltas that it repeats. */
    takeWhole: (message: Fields): string => take(message, true),
    fields(thoughtAndText: readonly [string, string] | undefined): Record<string, unknown> {
      return {
        ...Object.fromEntries(texts),
        ...Object.fromEntries([...lists].map(([name, merger]) => [name, merger.list()])),
        ...Object.fromEntries(values),
        ...(thoughtAndText === undefined ? {} : { content: partsOf(...thoughtAndText) }),
      };
    },
  };
}

/** Mistral's thinking models have their thoughts in the content, and take them back there. */
const partsOf = (thought: string, text: string): readonly unknown[] => [
  { type: 'thinking', thinking: [{ type: 'text', text: thought }] },
  ...(text.trim() === '' ? [] : [{ type: 'text', text }]),
];

function usageOf(value: unknown): ModelUsage | null {
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = recordOf(value);
  return isCount(promptTokens) && isCount(completionTokens)
    ? { promptTokens, completionTokens }
    : null;
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
