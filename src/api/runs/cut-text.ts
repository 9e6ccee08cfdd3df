// Texts of an item of a list that was more than its share: each begins as it does, ends with a mark,
// and the mark says where the whole is. What the store has read of them is a character more than is
// shown.

import {
  CUT_MESSAGE_CHARS,
  CUT_TEXT_CHARS,
  EARLIER_ARGUMENTS_CHARS,
  type RunRecord,
} from '../../store/queries/run-record.ts';

export type Arguments = Record<string, unknown>;

export interface Cuts {
  readonly text: (text: string) => string;
  /** The question and the answer. */
  readonly message: (text: string) => string;
  readonly arguments: (text: string) => Arguments;
}

export const NO_CUTS: Cuts = {
  text: (text) => text,
  message: (text) => text,
  arguments: argumentsOf,
};

/** Cut arguments have this one name: half a JSON text has no names that can be read. */
const CUT_ARGUMENTS = '[cut]';

export const cutsOf = (run: Pick<RunRecord, 'runId' | 'cut'>): Cuts =>
  run.cut === true ? cutsTo(CUT_TEXT_CHARS, CUT_MESSAGE_CHARS, wholeAt(run.runId)) : NO_CUTS;

/** Of a decision on another call of the run, which has an entry of its own there. */
export const EARLIER_CUTS = cutsTo(
  EARLIER_ARGUMENTS_CHARS,
  EARLIER_ARGUMENTS_CHARS,
  'in the entry of this call in the run',
);

export const addressOf = (runId: string): string => `/api/runs/${runId}`;
const wholeAt = (runId: string): string => `at ${addressOf(runId)}`;

function cutsTo(textChars: number, messageChars: number, where: string): Cuts {
  const cutAt = (chars: number) => (text: string) =>
    text.length <= chars ? text : `${beginningOf(text, chars)}… [cut here: the whole is ${where}]`;
  const text = cutAt(textChars);
  return {
    text,
    message: cutAt(messageChars),
    arguments: (json) =>
      json.length <= textChars ? argumentsOf(json) : { [CUT_ARGUMENTS]: text(json) },
  };
}

/** A half of a surrogate pair is no character. */
export const beginningOf = (text: string, chars: number): string =>
  text.slice(0, chars).replace(/[\ud800-\udbff]$/, '');

export function argumentsOf(text: string): Arguments {
  try {
    const value: unknown = JSON.parse(text);
    return isArguments(value) ? value : {};
  } catch {
    return {}; // changed behind our back: what ran or is asked about is never taken from here
  }
}

const isArguments = (value: unknown): value is Arguments =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
