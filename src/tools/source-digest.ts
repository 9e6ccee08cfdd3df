// What a tool's code is, as a digest: its file and whatever that imports of the project, so that a
// changed tool is another tool without a version that has to be counted up. Packages and types do not
// count. Compiled code says what was compiled: the build writes it down (write-source-digests.ts),
// so that a worker has the same version from source and from lib/.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** Only where this is compiled. */
const KEPT = new URL('source-digests.json', import.meta.url);

/** `file`: the `import.meta.url` of a tool. */
export function sourceDigest(file: string): string {
  const kept = existsSync(KEPT) ? keptDigests()[nameOf(file)] : undefined;
  return kept ?? digestOfSources(file);
}

/** Paths below this folder, since a checkout may lie anywhere. */
export const nameOf = (file: string): string =>
  decodeURI(file)
    .slice(decodeURI(new URL('..', import.meta.url).href).length)
    .replace(/\.[jt]s$/, '');

const KeptSchema = z.record(z.string(), z.string());
const keptDigests = (): z.infer<typeof KeptSchema> =>
  KeptSchema.parse(JSON.parse(readFileSync(KEPT, 'utf8')));

export function digestOfSources(file: string): string {
  const sources = new Map<string, string>();
  const open = [file];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (sources.has(next)) continue;
    const text = readFileSync(fileURLToPath(next), 'utf8');
    sources.set(next, text);
    for (const specifier of importsOf(text)) open.push(new URL(specifier, next).href);
  }
  const hash = createHash('sha256');
  for (const [name, text] of [...sources].map(([url, t]) => [nameOf(url), t] as const).toSorted())
    hash.update(JSON.stringify([name, text.replaceAll('\r\n', '\n')]));
  return hash.digest('hex');
}

// Of the project's own files; `import type` is gone when the code runs. One in a comment
// counts as well, which only asks once more.
const IMPORT =
  /(?:\b(?:import|export)\s+(?!type\b)(?:[^'";]*?\bfrom\s*)?|\bimport\s*\(\s*)['"](\.{1,2}\/[^'"]+)['"]/g;

const importsOf = (text: string): readonly string[] =>
  [...text.matchAll(IMPORT)].flatMap((match) => match[1] ?? []);
