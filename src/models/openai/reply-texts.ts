// The answer and the reasoning of a reply as they arrive: each piece is emitted once, and all that a
// reply holds counts towards its limit.

import { ModelError, type ModelDelta, type ModelUsage } from '../model.ts';
import { REASONING_FIELDS } from './dialects.ts';
import { listOf, recordOf, textOf, thoughtOf, type Fields } from './values.ts';

/**
 * Answer, arguments and reasoning together. Past any real answer, below what one row, one event and
 * one message can carry.
 */
const REPLY_MAX_BYTES = 1024 * 1024;

export function createReplyTexts(
  onDelta: (delta: ModelDelta) => void,
  usage: () => ModelUsage | null,
) {
  const content = accumulated();
  const reasoning = accumulated();
  let thoughtInContent = false;
  let bytes = 0;

  /** @throws ModelError OUTPUT_TOO_LARGE */
  function count(piece: string): void {
    bytes += Buffer.byteLength(piece);
    if (bytes > REPLY_MAX_BYTES)
      throw new ModelError('OUTPUT_TOO_LARGE', 'The model wrote more than 1 MiB in one reply.', {
        usage: usage(),
      });
  }

  function emit(kind: ModelDelta['kind'], piece: string): void {
    if (piece === '') return;
    count(piece);
    (kind === 'CONTENT' ? content : reasoning).add(piece);
    onDelta({ kind, text: piece });
  }

  function partsOf(of: Fields): { readonly reasoning: string; readonly content: string } {
    const thought = thoughtOf(of['content']);
    if (thought !== '') thoughtInContent = true;
    return {
      reasoning: reasoningOf(of) || thought,
      content: textOf(of['content']) || textOf(of['refusal']),
    };
  }

  return {
    count,
    emit,
    take(delta: Fields): void {
      const parts = partsOf(delta);
      emit('REASONING', parts.reasoning);
      emit('CONTENT', parts.content);
    },
    /** Of a whole message, what its deltas have not brought yet. */
    takeWhole(message: Fields): void {
      const parts = partsOf(message);
      emit('REASONING', reasoning.newOf(parts.reasoning));
      emit('CONTENT', content.newOf(parts.content));
    },
    content: () => content.all(),
    reasoning: () => reasoning.all(),
    thoughtInContent: () => thoughtInContent,
    bytes: () => bytes,
  };
}

/** A text so far, and what a whole text adds to it. */
function accumulated() {
  let all = '';
  return {
    add: (piece: string): void => void (all += piece),
    all: () => all,
    newOf: (whole: string): string =>
      whole.length > all.length && whole.startsWith(all) ? whole.slice(all.length) : '',
  };
}

/**
 * Several names for the same text, or a list of thoughts beside them: a server that sends more than
 * one repeats the text in each.
 */
function reasoningOf(of: Fields): string {
  for (const [name, kind] of Object.entries(REASONING_FIELDS)) {
    const text = kind === 'text' ? textOf(of[name]) : kind === 'list' ? detailsText(of[name]) : '';
    if (text !== '') return text;
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
