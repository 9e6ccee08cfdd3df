// Decides piece by piece whether a text is one whole JSON object: by its brackets, so that each byte
// is looked at once. Knows nothing of what is in it.

export interface ObjectEnd {
  take(piece: string): void;
  /** Opened, closed, and nothing but space behind it. */
  whole(): boolean;
}

export function endOfObject(): ObjectEnd {
  let depth = 0;
  let begun = false;
  let more = false;
  let inText = false;
  let escaped = false;

  function takeCharacter(at: string): void {
    if (inText) {
      if (escaped) escaped = false;
      else if (at === '\\') escaped = true;
      else if (at === '"') inText = false;
      return;
    }
    if (at === ' ' || at === '\n' || at === '\t' || at === '\r') return;
    if (begun ? depth === 0 : at !== '{') more = true;
    begun = true;
    if (at === '"') inText = true;
    else if (at === '{' || at === '[') depth++;
    else if (at === '}' || at === ']') depth--;
  }

  return {
    take(piece) {
      for (let i = 0; i < piece.length; i++) takeCharacter(piece.charAt(i));
    },
    whole: () => begun && depth === 0 && !inText && !more,
  };
}
