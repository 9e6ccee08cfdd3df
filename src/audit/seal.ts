// The seal of an audit line: an HMAC over the seal before it and the line, so that a line can't be
// changed, taken out, put in or moved without the key.

import { createHash, createHmac } from 'node:crypto';

export interface SealKey {
  readonly key: string;
  /** Tells keys apart without showing them. */
  readonly id: string;
}

export const sealKey = (key: string): SealKey => ({
  key,
  id: createHash('sha256').update(key).digest('hex').slice(0, 12),
});

/** As the database writes it; `at` in microseconds, `data` as text. */
export interface SealedLine {
  readonly lineId: number;
  readonly at: string;
  readonly orgId: string;
  readonly runId: string | null;
  readonly actor: string;
  readonly action: string;
  readonly data: string;
}

export interface ToSeal {
  readonly seq: number;
  readonly sealedAt: string;
  readonly line: SealedLine;
}

/** `before`: the mac of the seal before it; empty for the first. Hexadecimal. */
export function sealOf({ key }: SealKey, before: string, { seq, sealedAt, line }: ToSeal): string {
  const { lineId, at, orgId, runId, actor, action, data } = line;
  const text = [before, seq, sealedAt, lineId, at, orgId, runId, actor, action, data];
  return createHmac('sha256', key).update(JSON.stringify(text)).digest('hex');
}
