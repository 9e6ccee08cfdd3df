// A source with a bug planted in it.

/** undefined where the piece is not there any more. */
export function plantedText(
  text: string,
  { find, replace }: { readonly find: string; readonly replace: string },
): string | undefined {
  const found = anyLayout(find).exec(text);
  if (found === null) return undefined;
  return text.slice(0, found.index) + replace + text.slice(found.index + found[0].length);
}

/** The formatter may have broken a line of it: white space between words is any, and may be none. */
function anyLayout(find: string): RegExp {
  const words = find.trim().split(/(?<=[([{,;])|(?=[)\]}.?:])|\s+/);
  const escaped = words
    .filter((word) => word !== '')
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(escaped.join('\\s*,?\\s*'));
}
