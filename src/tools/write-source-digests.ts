// A step of the build: what each tool's code was compiled from, beside the compiled code.

import { readdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { digestOfSources, nameOf } from './source-digest.ts';

const folder = new URL('.', import.meta.url);
const digests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => new URL(name, folder).href)
  .map((file) => [nameOf(file), digestOfSources(file)] as const);

writeFileSync(
  new URL('../../lib/tools/source-digests.json', pathToFileURL(import.meta.filename)),
  `${JSON.stringify(Object.fromEntries(digests.toSorted()), null, 2)}\n`,
);
