// What became of the calls of a pause, for who reads the run in Temporal: as data in the wake-up,
// and in sentences in the run's details. Of a reason its beginning; the record has the whole.

import { assertNever, EXPIRY, OPERATOR } from '../../contract/names.ts';
import type { DecidedAs } from '../../contract/run.ts';
import { plainWords } from '../../json/visible.ts';

export interface ShownDecision {
  readonly callId: string;
  readonly tool: string;
  readonly action: DecidedAs;
  readonly by: readonly string[];
  /** The way of the vote that decided. */
  readonly via: 'API' | 'TEMPORAL' | 'EXPIRY';
  /** Its first 200 characters. */
  readonly reason?: string;
}

/** As the record has it. */
export interface DecisionOfCall extends Omit<ShownDecision, 'via' | 'reason'> {
  readonly reason: string | null;
}

const REASON_SHOWN = 200;
const CALLS_SHOWN = 20;
const PEOPLE_SHOWN = 5;

export const shownDecision = ({ reason, ...decision }: DecisionOfCall): ShownDecision => ({
  ...decision,
  via: viaOf(decision.by),
  ...(reason === null ? {} : { reason: beginningOf(reason) }),
});

function viaOf(by: readonly string[]): ShownDecision['via'] {
  switch (by.at(-1)) {
    case EXPIRY:
      return 'EXPIRY';
    case OPERATOR:
      return 'TEMPORAL';
    default:
      return 'API';
  }
}

/** By code points: half of one is no text. */
const beginningOf = (text: string): string =>
  text.length > REASON_SHOWN ? `${[...text].slice(0, REASON_SHOWN).join('')}…` : text;

/** As Markdown. */
export function decisionsInWords(decisions: readonly ShownDecision[]): string {
  const lines = decisions.slice(0, CALLS_SHOWN).map((decision) => `- ${inWords(decision)}`);
  const more = decisions.length - lines.length;
  if (more > 0) lines.push(`- and ${more} more: the run's record shows them all`);
  return `Decided:\n\n${lines.join('\n')}`;
}

function inWords({ tool, action, by, via, reason }: ShownDecision): string {
  const call = `**${plainWords(tool)}**`;
  if (via === 'EXPIRY') return `${call} counts as rejected: nobody decided in time`;
  const who = `${namesOf(by)} ${via === 'TEMPORAL' ? 'in Temporal' : 'through the API'}`;
  const why = reason === undefined ? '' : `: ${plainWords(reason)}`;
  switch (action) {
    case 'APPROVE':
      return `${call} was approved by ${who}${why}`;
    case 'REJECT':
      return `${call} was rejected by ${who}${why}`;
    case 'WITHDRAWN':
      return `${call} was taken back by ${who}${why}`;
    default:
      return assertNever(action);
  }
}

function namesOf(by: readonly string[]): string {
  const more = by.length - PEOPLE_SHOWN;
  const named = by.slice(0, PEOPLE_SHOWN).map(plainWords).join(', ');
  return more > 0 ? `${named} and ${more} more` : named;
}
