// When two memories are one fact, and when a newer one takes the place of an older. Goes by the
// words as they stand and by nothing that could come out differently another time. Pure.
//
//   the same         but for case, punctuation and spacing: nothing is added
//   the same subject "My favourite colour is blue", then "… is green": what is said of it differs in
//                    a few words and in the same place, so the newer one stands
//   nearly the same  nine of ten words are shared: the newer one stands
//
// Everything else is another fact. Where it cannot be told, both are kept: a person can delete one.

import { wordsOf } from '../../knowledge/words.ts';

export interface Fact {
  /** Without case, punctuation and spacing. */
  readonly fact: string;
  /** What it is about, with the word that links it to what is said; undefined: not of that form. */
  readonly subject: string | undefined;
}

/** What is said behind one of these is a value: another value is another fact in its place. */
const IS = new Set(
  'is are was were ist sind war heißt lautet est sont était es son está è sono zijn'.split(' '),
);
/** There may be several of what is said behind these, unless it is said in the same words. */
const DOES = new Set(
  'lives live works work prefers prefer speaks speak uses use drives drive'.split(' '),
);
const isLink = (word: string): boolean => IS.has(word) || DOES.has(word);
/** The one who is spoken of, in whatever words. */
const USER = /^(?:the user s|user s|the users|my|their|his|her|our)\b ?/;
const THE_USER = /^(?:the user|user|i|they|he|she|we)\b ?/;
const ARTICLE = /^(?:the|a|an) /;

export function factOf(content: string): Fact {
  const words = wordsOf(content);
  const fact = words.length === 0 ? content.trim() : words.join(' ');
  return { fact, subject: subjectIn(fact) };
}

function subjectIn(fact: string): string | undefined {
  const words = fact.split(' ');
  const at = words.findIndex((word, i) => i > 0 && isLink(word));
  const link = words[at];
  if (at < 1 || at > 8 || link === undefined || at === words.length - 1) return undefined;
  const about = words.slice(0, at).join(' ');
  const owned = about.replace(USER, 'user ');
  // "I am Bob" and "I am tired" are not about the same: who is spoken of is no subject by itself.
  if (owned === about && THE_USER.test(about)) return undefined;
  const bare = owned.replace(ARTICLE, '').trim();
  return bare.split(' ').length < 2 ? undefined : `${bare} ${link}`;
}

const SHARED = 0.9;
/** Below so many words one of ten is half of what is said. */
const ENOUGH_WORDS = 8;
/** What differs between two statements about one thing. */
const DIFFERENT_MAX = 4;
/** With nothing around it that is the same, it must be a value and no sentence. */
const VALUE_MAX = 2;

/** Does the newer fact take the place of the older? Both of one user, and not the same. */
export function replaces(newer: Fact, older: Fact): boolean {
  if (newer.subject !== undefined && newer.subject === older.subject) {
    const [a, b] = [said(newer), said(older)];
    const start = a.findIndex((word, i) => word !== b[i]);
    const same = start === -1 ? a.length : start;
    let end = 0;
    while (end < Math.min(a.length, b.length) - same && a.at(-1 - end) === b.at(-1 - end)) end++;
    const [restA, restB] = [a.length - same - end, b.length - same - end];
    const isValue = IS.has(newer.subject.split(' ').at(-1) ?? '');
    const most = same + end > 0 ? DIFFERENT_MAX : isValue ? VALUE_MAX : 0;
    if (restA <= most && restB <= most) return true;
  }
  const [a, b] = [new Set(newer.fact.split(' ')), new Set(older.fact.split(' '))];
  if (Math.min(a.size, b.size) < ENOUGH_WORDS) return false;
  const shared = [...a].filter((word) => b.has(word)).length;
  return shared / (a.size + b.size - shared) >= SHARED;
}

/** What stands behind the link. */
function said({ fact }: Fact): readonly string[] {
  const words = fact.split(' ');
  const at = words.findIndex((word, i) => i > 0 && isLink(word));
  return words.slice(at + 1);
}
