import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { lockDataDir } from '../../src/data-dir-lock.ts';
import { tempDir } from '../rig/temp-dir.ts';

const HOLDER = `
  const { lockDataDir } = await import(${JSON.stringify(new URL('../../src/data-dir-lock.ts', import.meta.url).href)});
  console.log(lockDataDir(process.argv[1]).ok);
  setInterval(() => undefined, 1000);`;

describe('the lock on the data directory', () => {
  it('is refused to a second process in a line that names the folder, and falls when its holder is killed', async () => {
    const folder = tempDir();
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const holder = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', HOLDER, folder],
      {
        cwd,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    try {
      const [said] = await once(holder.stdout, 'data');
      assert.equal(String(said).trim(), 'true');
      const refused = lockDataDir(folder);
      assert.ok(!refused.ok);
      assert.ok(
        refused.problem.includes(folder) && refused.problem.includes('DATA_DIR'),
        refused.problem,
      );
    } finally {
      holder.kill('SIGKILL');
    }
    await once(holder, 'exit');
    const taken = lockDataDir(folder);
    assert.ok(taken.ok);
    taken.lock.release();
  });

  it('is refused within one process too, until it is released', () => {
    const folder = tempDir();
    const first = lockDataDir(folder);
    assert.ok(first.ok);
    assert.equal(lockDataDir(folder).ok, false);
    first.lock.release();
    const second = lockDataDir(folder);
    assert.ok(second.ok);
    second.lock.release();
  });

  it('of a folder that cannot be made is refused in a line', () => {
    const refused = lockDataDir('/dev/null/holdpoint');
    assert.ok(!refused.ok);
    assert.match(refused.problem, /DATA_DIR .*cannot be written/);
  });
});
