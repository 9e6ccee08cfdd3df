// The console's built files: the page, its scripts and styles, and the policy that the page is sent
// with.

import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readStaticFile, type StaticFile } from '../http/static-files.ts';

/** The same from sources and compiled. */
const DIST = fileURLToPath(new URL('../../../console/dist/', import.meta.url));

/** By name; empty where the console was not built. */
export function readConsoleFiles(folder = DIST): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  if (!existsSync(folder)) return files;
  for (const name of readdirSync(folder)) {
    const file = readStaticFile(`${folder}${name}`);
    if (file !== undefined) files.set(name, file);
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
