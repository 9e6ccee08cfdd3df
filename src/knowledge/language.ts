// The language of a text, by the name that PostgreSQL's full text has for it.

import { franc } from 'franc';

/** ISO 639-3 to the name of the text search configuration. */
const CONFIGURATION: Readonly<Record<string, string>> = {
  arb: 'arabic',
  cat: 'catalan',
  dan: 'danish',
  deu: 'german',
  ell: 'greek',
  eng: 'english',
  fin: 'finnish',
  fra: 'french',
  hun: 'hungarian',
  ind: 'indonesian',
  ita: 'italian',
  lit: 'lithuanian',
  nld: 'dutch',
  nob: 'norwegian',
  por: 'portuguese',
  ron: 'romanian',
  rus: 'russian',
  spa: 'spanish',
  swe: 'swedish',
  tur: 'turkish',
};
export const LANGUAGES: readonly string[] = Object.values(CONFIGURATION);

/** No stemming, no words left out: right for every language, a little poorer for each. */
export const UNKNOWN_LANGUAGE = 'simple';

/** A sentence or two: of less, every second guess is wrong. */
const ENOUGH_CHARS = 150;
const SAMPLE_CHARS = 5000;

/** undefined: too short to tell, or none that full text knows. */
export function languageOf(text: string): string | undefined {
  if (text.length < ENOUGH_CHARS) return undefined;
  return CONFIGURATION[franc(text.slice(0, SAMPLE_CHARS), { minLength: ENOUGH_CHARS })];
}
