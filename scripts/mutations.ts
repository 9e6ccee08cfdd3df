// `npm run mutations [-- --files part,part --list --quick]`: takes out one lock, one guard of a statement or one
// early return at a time, in a copy of this tree, and runs the tests that must notice. Survivors
// are judged in docs/guarantees.md. Closes with `N killed, N survived` alone on its last line.

import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres } from '../test/rig/postgres.ts';
import { tempDir } from '../test/rig/temp-dir.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LEFT_OUT: readonly string[] = ['node_modules', '.git', '.holdpoint', 'lib', 'coverage'];
/** A mutant that makes the tests wait for ever is noticed too. */
const LONGEST_MS = 120_000;

/** Where it looks, and which tests must notice, the cheap ones first. */
const PARTS: readonly { readonly folder: string; readonly tests: readonly string[] }[] = [
  { folder: 'src/workflows', tests: ['test/loop/**/*.test.ts'] },
  { folder: 'src/temporal', tests: ['test/temporal/**/*.test.ts'] },
  {
    folder: 'src/store',
    tests: [
      'test/store/postgres.test.ts',
      'test/store/locks.test.ts',
      'test/temporal/**/*.test.ts',
    ],
  },
];
/** Tried with whatever the first tests let pass. */
const WIDER: readonly string[] = [
  'test/store/judge-vote.test.ts',
  'test/activity/**/*.test.ts',
  'test/api/{decisions,cancel,idempotency,runs,sessions,approvals,usage}.test.ts',
  'test/property/**/*.test.ts',
];

const KINDS: readonly { readonly kind: string; readonly find: RegExp; readonly put: string }[] = [
  { kind: 'lock', find: / for (?:no key )?update(?: of \w+)?(?: skip locked)?/g, put: '' },
  {
    kind: 'guard of a statement',
    find: / and (?:\w+\.)?(?:state|status|kind|acknowledged_at|claimed_until|closed_at|ended_at|pause_id|run_id|expires_at) (?:=|<|<=|is|in|is not) (?:null|\$\{\w+\}|'[^']*'|\('[^)]*\)|clock_timestamp\(\)|\w+\.\w+)/g,
    put: '',
  },
  { kind: 'early return', find: /^ *if \([^{};]*?\)\s*(?:return|continue)\b[^;]*;$/gm, put: '' },
  { kind: 'refusal', find: /^ *if \([^{};]*?\)\s*throw\b[^;]*;$/gm, put: '' },
];

interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly taken: string;
  readonly text: string;
  readonly tests: readonly string[];
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('migrations/'))
    .map((name) => join(folder, name))
    .sort();
}

function mutantsOf(file: string, tests: readonly string[]): readonly Mutant[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return KINDS.flatMap(({ kind, find, put }) =>
    [...text.matchAll(find)].map((match) => ({
      ...{ file, kind, tests, taken: match[0].trim().replace(/\s+/g, ' ') },
      line: text.slice(0, match.index).split('\n').length,
      text: text.slice(0, match.index) + put + text.slice(match.index + match[0].length),
    })),
  );
}

async function noticed(folder: string, tests: readonly string[], url: string): Promise<boolean> {
  const args = ['node_modules/mocha/bin/mocha.js', '--bail', ...tests];
  const env = { ...process.env, TEST_DATABASE_URL: url };
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env,
    stdio: 'ignore',
    detached: true,
  });
  const late = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), LONGEST_MS);
  const code = await new Promise<number | null>((done) => child.once('exit', done));
  clearTimeout(late);
  return code !== 0;
}

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});
const mutants = PARTS.flatMap(({ folder, tests }) =>
  filesIn(folder).flatMap((file) => mutantsOf(file, tests)),
).filter(({ file }) => values.files.split(',').some((part) => file.includes(part)));
if (values.list) {
  for (const { file, line, kind, taken } of mutants)
    console.log(`${file}:${line} ${kind}: ${taken.slice(0, 110)}`);
  process.exit(0);
}

const started = await startPostgres();
if (!started.ok) throw new Error(started.reason);
const { postgres } = started;
const folder = join(tempDir(), 'tree');
for (const name of readdirSync(ROOT))
  if (!LEFT_OUT.includes(name)) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
for (const { folder: part, tests } of PARTS)
  if (await noticed(folder, tests, postgres.url))
    throw new Error(`the tests of ${part} fail with nothing taken out`);
let [killed, survived] = [0, 0];
for (const { file, line, kind, taken, text, tests } of mutants) {
  const path = join(folder, file);
  const original = readFileSync(path);
  writeFileSync(path, text);
  const isKilled =
    (await noticed(folder, tests, postgres.url)) ||
    (!values.quick && (await noticed(folder, WIDER, postgres.url)));
  writeFileSync(path, original);
  if (isKilled) killed++;
  else survived++;
  console.log(`${isKilled ? 'killed  ' : 'SURVIVED'} ${file}:${line} ${kind}: ${taken}`);
}
rmSync(folder, { recursive: true, force: true });
await postgres.stop();
console.log(`${killed} killed, ${survived} survived`);
process.exit(0);
