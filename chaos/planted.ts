// `npm run chaos:planted [-- --only "name" | --short]`: plants each bug in a copy of this tree and runs what
// has to notice it. A checker that lets a planted bug pass proves nothing. Closes with `N passed, N
// failed` alone on its last line.

import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tempDir } from '../test/rig/temp-dir.ts';
import { plantedText } from './planted-text.ts';
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LEFT_OUT: ReadonlySet<string> = new Set([
  'node_modules',
  '.git',
  '.holdpoint',
  'lib',
  'coverage',
]);
/** A form of 50 s with its start, settling and end, on a busy machine. */
const LONGEST_MS = 240_000;
/** A bug that shows by chance, or on a machine with time to spare, must show with one of these. */
const SEEDS = ['5', '6', '7'] as const;
const TOGETHER_S = 40;

interface Ran {
  readonly code: number | null;
  readonly text: string;
}

function copyTree(): string {
  const folder = join(tempDir(), 'tree');
  for (const name of readdirSync(ROOT))
    if (!LEFT_OUT.has(name)) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Why a patch does not apply. */
function plant(folder: string, bug: PlantedBug): string | undefined {
  for (const { file, find, replace } of bug.patches) {
    const path = join(folder, file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const planted = plantedText(text, { find, replace });
    if (planted === undefined) return `its patch no longer applies to ${file}: ${find}`;
    writeFileSync(path, planted);
  }
  return undefined;
}

function run(folder: string, args: readonly string[]): Promise<Ran> {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    const late = setTimeout(() => child.kill('SIGTERM'), LONGEST_MS);
    child.once('exit', (code) => (clearTimeout(late), done({ code, text })));
  });
}

/** What noticed it; or why nothing did. */
async function caught(
  folder: string,
  { caughtBy }: PlantedBug,
): Promise<{ readonly by: string } | { readonly missed: string }> {
  if ('tests' in caughtBy) {
    const { text } = await run(folder, ['node_modules/mocha/bin/mocha.js', ...caughtBy.tests]);
    const counts = /(\d+) passed, ([1-9]\d*) failed/.exec(text);
    // The tests must have run: a file that does not load notices nothing.
    return counts && counts[1] !== '0'
      ? { by: `${counts[2]} tests of ${caughtBy.tests.join(', ')}` }
      : { missed: text.slice(-1500) };
  }
  const only = caughtBy.faults.length === 0 ? 'none' : caughtBy.faults.join(',');
  const kinds = caughtBy.kinds === undefined ? [] : ['--kinds', caughtBy.kinds.join(',')];
  let missed = '';
  for (const seed of SEEDS) {
    const args = ['--seconds', String(caughtBy.seconds), '--seed', seed, '--only', only, ...kinds];
    const { text } = await run(folder, ['--import', 'tsx', 'chaos/main.ts', ...args]);
    const failed = [...text.matchAll(/^FAILED ([a-z-]+)/gm)].map((match) => match[1] ?? '');
    const fitting = failed.filter((rule) => caughtBy.rules.includes(rule));
    if (fitting.length > 0) return { by: `${fitting.join(', ')} (seed ${seed})` };
    missed += `seed ${seed}, failed rules: ${failed.join(', ') || 'none'}\n${text.slice(-1500)}`;
  }
  return { missed };
}

/**
 * The short form: the bugs that leave each other's marks alone, in one tree and one run of the
 * program; each must be noticed by a rule of its own.
 */
async function together(bugs: readonly PlantedBug[]): Promise<number> {
  const folder = copyTree();
  const problems = bugs.flatMap((bug) => plant(folder, bug) ?? []);
  const size = ['--seconds', String(TOGETHER_S), '--at-least', '60'];
  const args = [...size, '--seed', SEEDS[0], '--only', 'none'];
  const { text } =
    problems.length > 0
      ? { text: problems.join('\n') }
      : await run(folder, ['--import', 'tsx', 'chaos/main.ts', ...args]);
  rmSync(folder, { recursive: true, force: true });
  const rules = [...text.matchAll(/^FAILED ([a-z-]+)/gm)].map((match) => match[1] ?? '');
  const missed = bugs.filter(
    ({ caughtBy }) => !('rules' in caughtBy && caughtBy.rules.some((rule) => rules.includes(rule))),
  );
  for (const bug of bugs) console.log(`${missed.includes(bug) ? 'MISSED' : 'caught'} ${bug.name}`);
  if (missed.length > 0) console.log(text.slice(-3000));
  console.log(`${bugs.length - missed.length} passed, ${missed.length} failed`);
  return missed.length;
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, short: { type: 'boolean', default: false } },
});
if (values.short)
  process.exit((await together(PLANTED_BUGS.filter((bug) => bug.together))) === 0 ? 0 : 1);
let [passed, failed] = [0, 0];
for (const bug of PLANTED_BUGS) {
  if (values.only !== undefined && bug.name !== values.only) continue;
  const began = Date.now();
  const folder = copyTree();
  const problem = plant(folder, bug);
  const result = problem === undefined ? await caught(folder, bug) : { missed: problem };
  rmSync(folder, { recursive: true, force: true });
  if ('by' in result) passed++;
  else failed++;
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(
    `${'by' in result ? 'caught' : 'MISSED'} ${bug.name} (${seconds} s): ${'by' in result ? result.by : result.missed}`,
  );
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
