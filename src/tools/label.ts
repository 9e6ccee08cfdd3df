// A call in one short line, for the summary of its activity.

import { visible } from '../json/visible.ts';

const MAX_CHARACTERS = 80;

/** The tool's name and its first argument that is a text, a number or a boolean. */
export function callLabel(name: string, args: Readonly<Record<string, unknown>>): string {
  const first = Object.values(args).find((value) =>
    ['string', 'number', 'boolean'].includes(typeof value),
  );
  // Cut before escaping as well: an argument may be a whole document.
  const line = first === undefined ? name : `${name} ${String(first).slice(0, 2 * MAX_CHARACTERS)}`;
  const shown = [...line].map(visible);
  if (shown.reduce((sum, piece) => sum + piece.length, 0) <= MAX_CHARACTERS) return shown.join('');
  let kept = '';
  // Whole pieces only: no half escape, no half character.
  for (const piece of shown) {
    if (kept.length + piece.length > MAX_CHARACTERS - 1) break;
    kept += piece;
  }
  return `${kept}…`;
}
