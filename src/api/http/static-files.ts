// Files of a page that the API serves beside its answers: read once, kept compressed too.

import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ApiContext } from './api-context.ts';

export interface StaticFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly gzipped: Buffer;
  /** Its name has its content's hash, so that no browser needs to ask for it again. */
  readonly immutable: boolean;
}

const TYPE: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const HASHED = /-[A-Z0-9]{8}\.(js|css)$/;
const A_YEAR_S = 31_536_000;

export function staticFile(name: string, bytes: Buffer): StaticFile | undefined {
  const type = TYPE[extname(name)];
  if (type === undefined) return undefined;
  return { type, bytes, gzipped: gzipSync(bytes), immutable: HASHED.test(name) };
}

/** undefined: of a kind that no page has. */
export const readStaticFile = (path: string): StaticFile | undefined =>
  staticFile(path, readFileSync(path));

export function sendFile(ctx: ApiContext, file: StaticFile): void {
  ctx.type = file.type;
  ctx.vary('Accept-Encoding');
  if (file.immutable) ctx.set('Cache-Control', `public, max-age=${A_YEAR_S}, immutable`);
  if (ctx.acceptsEncodings('gzip', 'identity') === 'gzip') {
    ctx.set('Content-Encoding', 'gzip');
    ctx.body = file.gzipped;
  } else ctx.body = file.bytes;
}
