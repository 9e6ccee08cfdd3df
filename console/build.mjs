// Builds the console into console/dist: scripts and styles with their content's hash in their
// names, and the page that names them. Plain JavaScript: `npm start` runs it before anything else.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'console', 'dist');
const stamp = join(dist, '.sources');

/** Of everything that goes into the page: its sources, the client's, and the packages' versions. */
function hashOfSources() {
  const hash = createHash('sha256');
  const files = [join(root, 'package-lock.json'), join(root, 'console', 'index.html')];
  for (const folder of ['console', 'client'])
    for (const entry of readdirSync(join(root, folder), { recursive: true }))
      if (/\.(tsx?|mjs|css|svg)$/.test(entry) && !/(^|\/)(dist|node_modules)\//.test(entry))
        files.push(join(root, folder, entry));
  for (const file of files.sort()) hash.update(file.slice(root.length)).update(readFileSync(file));
  return hash.digest('hex');
}

/** Nothing where what is there was built from these sources. */
export async function buildConsole() {
  const sources = hashOfSources();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  const { build } = await import('esbuild');
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  const { metafile } = await build({
    entryPoints: [join(root, 'console', 'src', 'main.tsx')],
    outdir: dist,
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: 'esm',
    minify: true,
    target: 'es2022',
    jsx: 'automatic',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'linked',
    metafile: true,
    logLevel: 'warning',
  });
  const entry = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint);
  if (entry === undefined || entry[1].cssBundle === undefined)
    throw new Error('the console was built without its script or its styles');
  const page = readFileSync(join(root, 'console', 'index.html'), 'utf8')
    .replace('%SCRIPT%', basename(entry[0]))
    .replace('%STYLE%', basename(entry[1].cssBundle));
  writeFileSync(join(dist, 'index.html'), page);
  writeFileSync(join(dist, 'icon.svg'), readFileSync(join(root, 'console', 'icon.svg')));
  // Last: a build that was interrupted is made again.
  writeFileSync(stamp, sources);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildConsole();
