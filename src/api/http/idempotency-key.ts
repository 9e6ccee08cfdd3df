// The Idempotency-Key header: a structured-field string, or the bare text most clients send; both
// spell the same key.

import { AppError } from '../../contract/errors.ts';

const KEY_MAX_CHARS = 255;
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/;
const PRINTABLE = /^[\x20-\x7e]+$/;

/** `values`: as they came, one an occurrence. */
export function readIdempotencyKey(values: readonly string[]): string | undefined {
  const [given, more] = values;
  if (given === undefined) return undefined;
  const text = given.trim();
  const key = text.startsWith('"') ? QUOTED.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, '$1') : text;
  if (more !== undefined || key === undefined || key.length > KEY_MAX_CHARS || !PRINTABLE.test(key))
    throw new AppError(
      'INVALID_REQUEST',
      `The Idempotency-Key must be given once, as 1 to ${KEY_MAX_CHARS} printable characters, bare or in quotes.`,
      {
        errors: [
          {
            path: 'Idempotency-Key',
            message: `must be 1 to ${KEY_MAX_CHARS} printable characters`,
          },
        ],
      },
    );
  return key;
}
