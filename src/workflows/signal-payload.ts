// How much of operators' signals a workflow holds. They are handed to the store as one input, which
// Temporal takes up to 2 MB: a larger one would fail the task of its run for ever. What an operator
// may type fits into 16 KiB (a reason of 2,000 characters, each escaped), and fifty of those into the
// input. No SDK.

const MOST_BYTES = 16_384;
export const MOST_SIGNALS = 50;
const TOO_LONG = 'the payload is too long';

/** The payload, or a text with why it is left out, which no signal means. */
export const boundedPayload = (payload: unknown): unknown =>
  bytesOf(JSON.stringify(payload ?? null)) > MOST_BYTES ? TOO_LONG : (payload ?? null);

/** In UTF-8; what is far too long is not counted to its end. */
function bytesOf(text: string): number {
  if (text.length > MOST_BYTES) return text.length;
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
