// Where the head of the audit's chain is kept outside the database: whoever cuts the end of the
// record off there has not cut it off here. A file, a line each; another place has the same two
// functions.

import { createHmac } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { SealKey } from './seal.ts';

const AnchoredSchema = z.object({
  seq: z.int(),
  mac: z.string(),
  /** RFC 3339. */
  at: z.string(),
  signature: z.string(),
});
export type Anchored = z.infer<typeof AnchoredSchema>;

export interface Anchor {
  readonly keep: (head: { readonly seq: number; readonly mac: string }) => Promise<void>;
  /** In the order in which they were kept. Throws where one can't be read. */
  readonly read: () => Promise<readonly Anchored[]>;
  /** For people: where it is. */
  readonly place: string;
}

const signatureOf = ({ key }: SealKey, { seq, mac, at }: Omit<Anchored, 'signature'>): string =>
  createHmac('sha256', key)
    .update(JSON.stringify(['head', seq, mac, at]))
    .digest('hex');

export const isSigned = (key: SealKey, anchored: Anchored): boolean =>
  signatureOf(key, anchored) === anchored.signature;

export function fileAnchor(file: string, key: SealKey): Anchor {
  return {
    place: file,
    keep: async ({ seq, mac }) => {
      const head = { seq, mac, at: new Date().toISOString() };
      const line = JSON.stringify({ ...head, signature: signatureOf(key, head) });
      await appendFile(file, `${line}\n`, { mode: 0o600, flush: true });
    },
    read: async () => {
      let text: string;
      try {
        text = await readFile(file, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => AnchoredSchema.parse(JSON.parse(line)));
    },
  };
}
