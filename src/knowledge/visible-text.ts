// What a person who reads a text sees of it, and no more: a model must not meet what nobody sees.
// Imports nothing.

// Characters that show nothing: a person who reads the document does not see what they spell.
// Zero-width joiners stay, words of some scripts need them.
const HIDDEN =
  /\u034f|[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]/g;

export const visibleText = (text: string): string =>
  text
    .replace(/\r\n?|\u2028|\u2029|\f|\v/g, '\n')
    .replace(HIDDEN, '')
    .replace(CONTROLS, ' ')
    .replace(/\p{Cs}/gu, '\ufffd');
