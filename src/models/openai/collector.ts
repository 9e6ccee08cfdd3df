// Puts a reply together from the chunks of a chat completion, or from whole messages in their
// place, and judges at its end whether it is one. Trusts no field of a chunk: it reads JSON as it
// came. No timers and no network here.

import { ModelError, type ModelDelta, type ModelReply, type ModelUsage } from '../model.ts';
import { REASONING_FIELDS } from './dialects.ts';
import { createCallCollector, wholeCalls } from './fragments.ts';
import { judged } from './judge.ts';
import { createListMerger, listOf, recordOf, textOf, thoughtOf, type Fields } from './values.ts';

/**
 * Answer, arguments and reasoning together. Past any real answer, below what one row, one event and
 * one message can carry.
 */
const REPLY_MAX_BYTES = 1024 * 1024;

export interface ReplyCollector {
  /**
   * Whether there was anything of a reply in it.
   *
   * @throws ModelError OUTPUT_TOO_LARGE
   */
  take(chunk: unknown): boolean;
  /** Whether the provider has said that the reply is complete: more of it may follow all the same. */
  finished(): boolean;
  /** Whether anything of the reply has come. */
  begun(): boolean;
  /** Whether what came was a chat completion at all. */
  answered(): boolean;
  /** Whether more came after a finish reason: then it does not tell the end. */
  wentOn(): boolean;
  usage(): ModelUsage | null;
  /** @throws ModelError where what came is no complete reply. */
  reply(model: string): ModelReply;
}

export function createReplyCollector(onDelta: (delta: ModelDelta) => void): ReplyCollector {
  const calls = createCallCollector();
  const own = createOwnFields();
  let messageCalls: ReturnType<typeof wholeCalls> | undefined;
  const text = spoken();
  const reasoning = spoken();
  let thoughtInContent = false;
  let finish: string | undefined;
  let usage: ModelUsage | null = null;
  let bytes = 0;
  let answered = false;
  let wentOn = false;

  const count = (piece: string): void => {
    bytes += Buffer.byteLength(piece);
    if (bytes > REPLY_MAX_BYTES)
      throw new ModelError('OUTPUT_TOO_LARGE', 'The model wrote more than 1 MiB in one reply.', {
        usage,
      });
  };
  const emit = (kind: ModelDelta['kind'], piece: string): void => {
    if (piece === '') return;
    count(piece);
    (kind === 'CONTENT' ? text : reasoning).add(piece);
    onDelta({ kind, text: piece });
  };

  function takeDelta(delta: Fields): void {
    count(own.take(delta));
    const thought = thoughtOf(delta['content']);
    if (thought !== '') thoughtInContent = true;
    emit('REASONING', reasoningOf(delta) || thought);
    emit('CONTENT', textOf(delta['content']) || textOf(delta['refusal']));
    for (const fragment of listOf(delta['tool_calls'])) count(calls.take(fragment));
    count(calls.takeFunctionCall(delta['function_call']));
  }

  /**
   * A whole message: as the only form, as the reply so far beside each delta, or as a repetition at
   * the end. Only what is new of it is said.
   */
  function takeMessage(message: Fields): void {
    const thought = thoughtOf(message['content']);
    if (thought !== '') thoughtInContent = true;
    emit('REASONING', reasoning.newOf(reasoningOf(message) || thought));
    emit('CONTENT', text.newOf(textOf(message['content']) || textOf(message['refusal'])));
    own.takeWhole(message);
    if (calls.count() > 0) return;
    messageCalls = wholeCalls(message);
    count(JSON.stringify(message['tool_calls'] ?? ''));
  }

  function takeChoice(choice: Fields): boolean {
    if (typeof choice['index'] === 'number' && choice['index'] !== 0) return false;
    const { delta, message, finish_reason: said } = choice;
    answered = true;
    const before = bytes;
    takeDelta(recordOf(delta));
    if (typeof message === 'object' && message !== null) takeMessage(recordOf(message));
    // Completions of the old kind, behind some gateways.
    else if (delta === undefined) emit('CONTENT', textOf(choice['text']));
    if (finish !== undefined && bytes > before) wentOn = true;
    if (typeof said === 'string' && said !== '') finish = said;
    return true;
  }

  return {
    take(chunk) {
      const { choices, usage: reported, x_groq: groq } = recordOf(chunk);
      const all = listOf(choices).map(recordOf);
      const counted =
        usageOf(reported) ?? usageOf(recordOf(groq)['usage']) ?? usageOf(all[0]?.['usage']);
      usage = counted ?? usage;
      let heard = counted !== null;
      for (const choice of all) heard = takeChoice(choice) || heard;
      return heard;
    },
    finished: () => finish !== undefined,
    begun: () => bytes > 0,
    answered: () => answered,
    wentOn: () => wentOn,
    usage: () => usage,
    reply(model) {
      const made = (calls.count() > 0 ? calls : (messageCalls ?? calls)).calls();
      const said = text.all();
      const finishReason = judged({ finish, text: said, calls: made, usage });
      const fields = own.fields(thoughtInContent ? [reasoning.all(), said] : undefined);
      return {
        text: said,
        reasoning: reasoning.all(),
        toolCalls: made ?? [],
        finishReason,
        model,
        usage,
        ...(Object.keys(fields).length === 0 ? {} : { fields }),
      };
    },
  };
}

/** What has been said of one text, and what of a whole one is new. */
function spoken() {
  let all = '';
  return {
    add: (piece: string): void => void (all += piece),
    all: () => all,
    newOf: (whole: string): string =>
      whole.length > all.length && whole.startsWith(all) ? whole.slice(all.length) : '',
  };
}

/**
 * Two names for the same thing, or a list of thoughts beside them: a server that sends several says
 * the same in each.
 */
function reasoningOf(of: Fields): string {
  for (const [name, kind] of Object.entries(REASONING_FIELDS)) {
    const said = kind === 'text' ? textOf(of[name]) : kind === 'list' ? detailsText(of[name]) : '';
    if (said !== '') return said;
  }
  return '';
}

const detailsText = (list: unknown): string =>
  listOf(list)
    .map((each) => {
      const { text, summary, thinking } = recordOf(each);
      return textOf(text) || textOf(summary) || textOf(thinking);
    })
    .join('');

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
    /** A whole message replaces what its deltas said, where it says it too. */
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
