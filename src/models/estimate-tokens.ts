// How many tokens a text is, roughly: for history budgets, and where a provider reports no usage. An estimate, never a price:
// real tokenizers differ by model, and one of them here would be wrong for all the others. Imports nothing.

/** What English prose and code come to with the usual tokenizers. */
const CHARACTERS_PER_TOKEN = 4;

/** About four characters a token; Chinese, Japanese, Korean and everything beyond the basic plane count one each. */
export function estimateTokens(text: string): number {
  let wide = 0;
  let narrow = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (isWide(unit)) wide++;
    else if (!isLowSurrogate(unit)) narrow++;
  }
  return wide + Math.ceil(narrow / CHARACTERS_PER_TOKEN);
}

// A pair is counted by its first half.
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

const isWide = (unit: number): boolean =>
  unit >= 0x3000 &&
  (unit <= 0x30ff || // CJK punctuation, kana
    (unit >= 0x3400 && unit <= 0x9fff) || // Han
    (unit >= 0xac00 && unit <= 0xdbff) || // Hangul, first halves of pairs
    (unit >= 0xf900 && unit <= 0xfaff) || // compatibility Han
    (unit >= 0xff00 && unit <= 0xffef)); // full-width forms
