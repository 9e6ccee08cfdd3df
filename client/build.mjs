// Builds the package @holdpoint/client into client/dist. `npm pack` runs it first.

import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const pathOf = (relative) => fileURLToPath(new URL(relative, import.meta.url));

rmSync(pathOf('dist'), { recursive: true, force: true });
execFileSync(
  process.execPath,
  [pathOf('../node_modules/typescript/bin/tsc'), '-p', pathOf('tsconfig.json')],
  // npm pack --json speaks on stdout.
  { stdio: ['ignore', 2, 2] },
);
// The compiler rewrites .ts to .js in scripts, not in declarations.
for (const file of readdirSync(pathOf('dist')).filter((name) => name.endsWith('.d.ts'))) {
  const text = readFileSync(pathOf(`dist/${file}`), 'utf8');
  writeFileSync(pathOf(`dist/${file}`), text.replaceAll(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'"));
}
// Declarations that were written beforehand are not the compiler's to copy.
copyFileSync(pathOf('schema.d.ts'), pathOf('dist/schema.d.ts'));
