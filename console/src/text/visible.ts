// A text in pieces, so that no character of it is invisible to who decides by it: control and
// format characters, unusual spaces, fillers and what has no assigned meaning are named by their
// code point. Only the plain space, tab and line feed are shown as they are.

export interface Piece {
  readonly text: string;
  /** The code point of a hidden character, as U+202E. */
  readonly code?: string;
}

/** The braille blank is a symbol by its category, and as empty as a space. */
const HIDDEN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;
const PLAIN = new Set([' ', '\n', '\t']);

const codeOf = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let plain = '';
  for (const character of text) {
    if (PLAIN.has(character) || !HIDDEN.test(character)) {
      plain += character;
      continue;
    }
    if (plain !== '') pieces.push({ text: plain });
    plain = '';
    pieces.push({ text: character, code: codeOf(character) });
  }
  if (plain !== '') pieces.push({ text: plain });
  return pieces;
}
