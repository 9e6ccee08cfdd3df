// The words of a text as full text sees them: letters and digits in lower case. Cut here and not by
// the database, so that an address, a path or a name with an apostrophe is found by its parts, and
// so that lower case does not depend on the locale that a database was made with. Imports nothing.

/** Scripts that put no spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const WORD = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu;
/** Longer ones are keys or data; the database takes no word of 2 KB. */
const WORD_MAX_CHARS = 100;

const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' });

export function wordsOf(text: string): readonly string[] {
  const found = text.normalize('NFKC').toLowerCase().match(WORD) ?? [];
  return found
    .flatMap((word) => (UNSPACED.test(word) ? segments(word) : [word]))
    .filter((word) => word.length <= WORD_MAX_CHARS);
}

const segments = (run: string): readonly string[] =>
  [...segmenter.segment(run)].filter((s) => s.isWordLike).map((s) => s.segment);

/** Of a question: each word once. */
export const distinctWords = (text: string): readonly string[] => [...new Set(wordsOf(text))];
