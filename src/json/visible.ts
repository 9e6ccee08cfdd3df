// Text that a person decides by, shown so that what is read is what is there: the one list of what
// cannot be seen, for every place where such text is put together. Imports nothing.

// Controls, formats (bidirectional, zero-width, tags), line and paragraph separators, halves of
// pairs; whatever Unicode lets a font leave out (variation selectors, fillers, joiners); the empty
// Braille cell; and every space but the one that is on the keyboard.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;

/** Hidden characters as `\u{…}`. */
export const visible = (text: string): string => text.replace(HIDDEN, escaped);

const escaped = (character: string): string =>
  `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** As a code span of Markdown, which nothing inside can end: no link, picture or HTML comes of it. */
export const codeSpan = (text: string): string => `\`${visible(text).replaceAll('`', '\u02cb')}\``;

/** In a sentence of Markdown: no link, picture, code or HTML comes of it. */
export const plainWords = (text: string): string =>
  visible(text).replace(/[<>[\]`!\\]/g, (mark) => `\\${mark}`);
