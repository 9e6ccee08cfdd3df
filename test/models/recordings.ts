// Recorded answers, played in pieces that end in the middle of events, names and letters.

import { readFileSync } from 'node:fs';
import type { Script } from './scripted-provider.ts';

export const RECORDED = new URL('recorded/', import.meta.url);
/** Prime, so that pieces end anywhere. */
const PIECE_BYTES = 37;

/** A recording is status and type on its first line, an empty line, then the bytes. */
export const recorded =
  (folder: string, name: string): Script =>
  async (res) => {
    const bytes = readFileSync(new URL(`${folder}/${name}.txt`, RECORDED));
    const headEnd = bytes.indexOf('\n\n');
    const [status = '', ...type] = bytes.subarray(0, headEnd).toString().split(' ');
    res.writeHead(Number(status), { 'content-type': type.join(' ') });
    for (let at = headEnd + 2; at < bytes.length; at += PIECE_BYTES) {
      res.write(bytes.subarray(at, at + PIECE_BYTES));
      await new Promise(setImmediate); // else Node sends several pieces as one
    }
    res.end();
  };
