// How many tokens a text is, roughly: for history budgets, and where a provider reports no usage.
// An estimate, never a price: real tokenizers differ by model, and one of them here would be wrong
// for all the others. Imports nothing.

/** What English prose and code come to with the usual tokenizers. */
const CHARACTERS_PER_TOKEN = 4;

/**
 * About four characters a token; Chinese, Japanese, Korean and everything beyond the basic plane
 * count one each.
 */
export function estimateTokens(text: string): number {
  let wide = 0;
  let narrow = 0;
  for (let i = 0; i < text.length; i++) {
    const tx = text.charCodeAt(i);
    if (isWide(tx)) wide++;
    else if (!isLowSurrogate(tx)) narrow++;
  }
  return wide + Math.ceil(narrow / CHARACTERS_PER_TOKEN);
}

// A pair is counted by its first half.
const isLowSurrogate = (tx: number): boolean => tx >= 0xdc00 && tx <= 0xdfff;

const isWide = (tx: number): boolean =>
  tx >= 0x3000 &&
  (tx <= 0x30ff || // CJK punctuation, kana
    (tx >= 0x3400 && tx <= 0x9fff) || // Han
    (tx >= 0xac00 && tx <= 0xdbff) || // Hangul, first halves of pairs
    (tx >= 0xf900 && tx <= 0xfaff) || // compatibility Han
    (tx >= 0xff00 && tx <= 0xffef)); // full-width forms
