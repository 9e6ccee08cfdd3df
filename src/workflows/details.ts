// What the Web UI shows of a run under "User Metadata": what it waits for, what was decided last, and
// how it ended. Sets no command: the text is there for a query alone.

import { setCurrentDetails } from '@temporalio/workflow';
import { whatToDo } from '../contract/failure-advice.ts';
import type { RunStatus } from '../contract/names.ts';
import type { Settled } from '../contract/turn.ts';

export interface Details {
  /** What the run waits for, or what was decided last; empty where there is nothing to say. */
  readonly show: (text: string) => void;
  /** What became of a signal. */
  readonly showNote: (text: string) => void;
  /** How it ended, in place of what it waited for. */
  readonly showEnd: (end: RunEnd) => void;
}

export type RunEnd = Pick<Settled, 'status' | 'failure' | 'shown'>;

export function createDetails(): Details {
  let details = '';
  let note = '';
  const set = (): void => setCurrentDetails(note === '' ? details : `${details}\n\n_${note}_`);
  const show = (text: string): void => {
    details = text;
    set();
  };
  return {
    show,
    showNote: (text) => {
      note = text;
      set();
    },
    showEnd: (end) => show(endInWords(end)),
  };
}

function endInWords({ status, failure, shown }: RunEnd): string {
  const said = `This run has ended: ${status satisfies RunStatus}.`;
  if (failure !== undefined)
    return `${said} ${failure.code}: ${failure.message} ${whatToDo(failure.code)}`;
  if (shown === undefined) return said;
  const answer =
    shown.answer === undefined
      ? ''
      : ` Its answer begins: \`${shown.answer.replaceAll('`', '\u02cb')}\``;
  return `${said} It took ${shown.tokens} tokens.${answer}`;
}
