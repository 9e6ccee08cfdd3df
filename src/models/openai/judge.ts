// Whether what came is a reply, by its last word and by what there is of it. A cut or aborted
// stream ends exactly as a complete one does: only a finish reason distinguishes them.

import { ModelError, type ModelUsage } from '../model.ts';
import { endOf } from './dialects.ts';
import type { OpenCall } from './fragments.ts';

interface Ended {
  readonly finish: string | undefined;
  readonly text: string;
  /** undefined: arguments went astray. */
  readonly calls: readonly OpenCall[] | undefined;
  readonly usage: ModelUsage | null;
}

/** Asked again, it may do better; in the end the run says MODEL_INCOMPLETE. */
const askedAgain = (message: string, usage: ModelUsage | null): ModelError =>
  new ModelError('INCOMPLETE', message, { retryable: true, usage });

/**
 * The reason as callers see it.
 *
 * @throws ModelError
 */
export function judged({ finish, text, calls, usage }: Ended): string {
  if (finish === undefined) throw askedAgain("The model's answer broke off before its end.", usage);
  const end = endOf(finish);
  const empty = text.trim() === '' && calls?.length === 0;
  if (end === 'BROKEN')
    throw askedAgain(`The model's server broke its answer off (${shown(finish)}).`, usage);
  if (end === 'CUT') return cut(empty, calls, usage);
  if (end === 'FILTERED') {
    if (empty || calls?.length !== 0)
      throw new ModelError(
        'REJECTED',
        "The provider's content filter withheld the model's answer.",
        { usage },
      );
    return 'content_filter';
  }
  if (calls === undefined)
    throw askedAgain('The model sent arguments that belong to no tool call.', usage);
  if (empty) throw askedAgain(nothing(finish, end), usage);
  if (end === undefined && calls.some((call) => !isObject(call.argumentsText)))
    throw askedAgain(
      `The model's server ended a tool call in the middle (${shown(finish)}).`,
      usage,
    );
  // Some servers finish a turn of calls with `stop`: what is there counts.
  if (calls.length > 0) return 'tool_calls';
  return end === undefined ? shown(finish) : 'stop';
}

function cut(empty: boolean, calls: Ended['calls'], usage: ModelUsage | null): string {
  if (calls?.length !== 0)
    throw new ModelError(
      'INCOMPLETE',
      'The model ran out of output tokens in the middle of a tool call: raise maxTokens.',
      { usage },
    );
  // Nothing is no answer: all of it went into reasoning, or into a call that llama.cpp holds back
  // until it has read the name.
  if (empty)
    throw new ModelError(
      'INCOMPLETE',
      'The model ran out of output tokens before it had said anything: raise maxTokens.',
      { usage },
    );
  return 'length';
}

const nothing = (finish: string, end: ReturnType<typeof endOf>): string =>
  end === undefined
    ? `The model answered nothing and ended with a word that is not known (${shown(finish)}).`
    : end === 'CALLS'
      ? 'The model announced tool calls and sent none.'
      : 'The model answered nothing.';

/** A provider's word, as far as it is one. */
const shown = (finish: string): string => finish.replace(/[^\w.:-]/g, '_').slice(0, 40);

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text.trim() === '' ? '{}' : text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
