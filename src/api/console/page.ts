// The console's built files, read once: the page, its scripts and styles, each also compressed, and
// the policy that the page is sent with.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

export interface ConsoleFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly gzipped: Buffer;
  /** Its name has its content's hash: it may be kept for ever. */
  readonly immutable: boolean;
}

const TYPE: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const HASHED = /-[A-Z0-9]{8}\.(js|css)$/;

/** The same from sources and compiled. */
const DIST = fileURLToPath(new URL('../../../console/dist/', import.meta.url));

/** By name; empty where the console was not built. */
export function readConsoleFiles(folder = DIST): ReadonlyMap<string, ConsoleFile> {
  const files = new Map<string, ConsoleFile>();
  if (!existsSync(folder)) return files;
  for (const name of readdirSync(folder)) {
    const type = TYPE[extname(name)];
    if (type === undefined) continue;
    const bytes = readFileSync(`${folder}${name}`);
    files.set(name, { type, bytes, gzipped: gzipSync(bytes), immutable: HASHED.test(name) });
  }
  return files;
}

/**
 * No inline script, nothing from elsewhere; only the identity provider is asked beside the API.
 * Style elements, in which the component library writes its theme, carry the response's nonce.
 */
export const pagePolicy = (issuer: string | null, nonce: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    `connect-src 'self'${issuer === null ? '' : ` ${new URL(issuer).origin}`}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
