// A result as it may be kept: storable, and short enough for a model, a row and an event.

import { storable } from '../json/storable.ts';

/** Contract, section 5. */
export const MAX_RESULT_BYTES = 262_144;

export function resultText(text: string, truncated = false): string {
  const kept = storable(text).text;
  const bytes = Buffer.from(kept);
  if (bytes.length <= MAX_RESULT_BYTES && !truncated) return kept;
  return `${cutAt(bytes, MAX_RESULT_BYTES)}\n[Cut by Holdpoint: the result is longer than ${MAX_RESULT_BYTES} bytes.]`;
}

function cutAt(bytes: Buffer, max: number): string {
  let end = Math.min(max, bytes.length);
  // 10xxxxxx continues a character: never cut in front of one.
  while (end > 0 && end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString();
}
