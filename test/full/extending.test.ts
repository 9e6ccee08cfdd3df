// docs/extending.md followed to the letter in a copy of the tree: its files written, its changes
// made, the result compiled and called.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tempDir } from '../rig/temp-dir.ts';
import type { Probed } from './extending/probe.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COPIED = ['src', 'agents', 'package.json', 'tsconfig.json', 'test/api/route-table.ts'];
const PROBE = 'test/full/extending/probe.ts';
const run = promisify(execFile);

interface Block {
  readonly kind: string;
  readonly text: string;
}

const blocks = (document: string): readonly Block[] =>
  [...document.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, kind = '', text = '']) => ({
    kind,
    text,
  }));

/** A hunk is its lines alone: where it belongs, its old lines stand exactly once. */
function applied(before: string, diff: string): string {
  const [, ...hunks] = diff.split(/^@@.*\n/m);
  return hunks.reduce((text, hunk) => {
    const lines = hunk.split('\n').slice(0, -1);
    const side = (sign: string): string =>
      lines.flatMap((l) => (l[0] === ' ' || l[0] === sign ? [`${l.slice(1)}\n`] : [])).join('');
    assert.equal(text.split(side('-')).length, 2, `not found once:\n${side('-')}`);
    return text.replace(side('-'), () => side('+'));
  }, before);
}

describe('docs/extending.md, followed to the letter', function () {
  // The compiler, on a machine that may be busy.
  this.timeout(600_000);
  const tree = tempDir();
  const node = (script: string, ...args: string[]) =>
    run(process.execPath, [join(ROOT, 'node_modules', script), ...args], { cwd: tree });

  before(() => {
    for (const name of [...COPIED, PROBE])
      cpSync(join(ROOT, name), join(tree, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  });

  it('its files and changes can be made, and compile', async () => {
    let [written, changed] = [0, 0];
    for (const { kind, text } of blocks(readFileSync(join(ROOT, 'docs/extending.md'), 'utf8'))) {
      const [, created] = /^(?:\/\/|#) \+\+\+ (\S+)\n/.exec(text) ?? [];
      if (created !== undefined) {
        mkdirSync(dirname(join(tree, created)), { recursive: true });
        writeFileSync(join(tree, created), text.slice(text.indexOf('\n') + 1));
        written++;
      }
      if (kind !== 'diff') continue;
      const file = join(tree, /^\+\+\+ b\/(\S+)$/m.exec(text)?.[1] ?? assert.fail(text));
      writeFileSync(file, applied(readFileSync(file, 'utf8'), text));
      changed++;
    }
    // An agent; a tool, an endpoint's schema, presenter and route. Two lists and the table of routes.
    assert.deepEqual([written, changed], [5, 3]);
    await node('typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json').catch((error) =>
      assert.fail(error.stdout),
    );
  });

  it('the tool rolls, the HTTP tool asks its address, the endpoint answers and is documented', async () => {
    const { stdout } = await node('tsx/dist/cli.mjs', PROBE);
    const probed = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Probed;
    assert.match(probed.rolled, /"\[[1-6],[1-6],[1-6]\]"/);
    assert.match(probed.found, /you asked for \/orders\/7/);
    assert.deepEqual(probed.listed, {
      data: [
        { name: 'roll_dice', guarded: false },
        { name: 'find_order', guarded: false },
      ],
    });
    for (const name of ['/api/agents/{agentId}/tools', 'AgentTools'])
      assert.ok(probed.documented.includes(name), name);
  });
});
