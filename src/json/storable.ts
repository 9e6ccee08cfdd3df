// Text as Postgres can keep it: it takes neither NUL nor half a surrogate pair, and a row that
// cannot be written would retry for ever. Imports nothing.

// In unicode mode a whole pair is one character, so only halves match.
const UNSTORABLE = /\0|\p{Cs}/gu;

export function storable(text: string): { readonly text: string; readonly changed: boolean } {
  const kept = text.replace(UNSTORABLE, '\ufffd');
  return { text: kept, changed: kept !== text };
}
