// A client that is neither ours nor of the SDK that we serve by: Python's `mcp` package, unmodified,
// in both generations of the protocol.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newOrg, startApiRig, token, type ApiRig } from '../api/api-rig.ts';
import { skipBecause } from '../rig/skip.ts';
import { tempDir } from '../rig/temp-dir.ts';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('mcp-third-client.py', import.meta.url));
/** One known release: what is tested here is our server. */
const PACKAGE = 'mcp==2.3.0';

describe('MCP: Python’s client', function () {
  // Some fifteen packages come over the network first.
  this.timeout(300_000);
  const packages = tempDir();
  let api: ApiRig;
  before(async function () {
    const install = ['-m', 'pip', 'install', '--quiet', '--target', packages, PACKAGE];
    const problem = await run('python3', install).then(
      () => undefined,
      (error: Error) => error.message.split('\n')[0],
    );
    if (problem !== undefined)
      skipBecause(this, `the Python package ${PACKAGE} cannot be installed here: ${problem}`);
    api = await startApiRig();
  });
  after(() => api?.close());

  for (const mode of ['legacy', 'auto'])
    it(`runs, waits, is refused a wrong hash and decides (${mode})`, async () => {
      const bearer = await token('ada', { org: newOrg() });
      const { stdout } = await run('python3', [SCRIPT, `${api.url}/mcp`, bearer, mode], {
        env: { PATH: process.env['PATH'], PYTHONPATH: packages },
      });
      const seen = JSON.parse(stdout);
      assert.deepEqual(seen.tools.length, 6);
      assert.ok(seen.agents.includes('guard'));
      assert.deepEqual(
        [seen.answered, seen.paused, seen.decided],
        ['COMPLETED', 'PAUSED', 'COMPLETED'],
      );
      assert.ok(seen.progress >= 1);
      assert.equal(seen.wrong[0], true);
      assert.match(seen.wrong[1], /"code":"HASH_MISMATCH"/);
    });
});
