// The two-minute form of the program (chaos/main.ts), as a process of its own: its verdict is the
// test's. Always the same schedule, so that what turns it red is what was changed; CHAOS_SEED draws
// another.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SEED = process.env['CHAOS_SEED'] ?? '1';

describe('the program that breaks everything, in its short form', () => {
  it('finds nothing lost, nothing doubled and nothing unapproved', async function () {
    this.timeout(360_000);
    const args = ['--import', 'tsx', 'chaos/main.ts', '--seconds', '100', '--seed', SEED];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    const code = await new Promise<number | null>((done) => child.once('exit', done));
    const last = text.trimEnd().split('\n').at(-1) ?? '';
    assert.match(last, /^\d+ passed, 0 failed$/, `seed ${SEED}:\n${text.slice(-6000)}`);
    assert.equal(code, 0);
  });
});
