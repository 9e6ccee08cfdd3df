// Admin commands as processes beside a real database and a real Temporal: `replay` before a rollout, of
// this release and of one whose workflow takes other steps; what is sent and said with `--database`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startCluster, type Cluster } from '../e2e/cluster.ts';
import { plan, type Caller } from '../e2e/stage.ts';
import { drive, openBench } from '../store/fixture.ts';
import { tempDir } from '../rig/temp-dir.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

describe('npx holdpoint, beside real servers', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let ada: Caller;
  const open: string[] = [];
  before(async function () {
    cluster = await startCluster(this);
    ada = await cluster.as('ada');
    await ada.ask(plan('It has ended, and is not looked at.'));
    for (const calls of [[['look', {}]], [['pay', { amount: 5 }]], [['send', {}]]] as const) {
      const { run: paused } = await ada.ask(plan([...calls], [['pay', { amount: 1 }]], 'Done.'));
      assert.equal(paused.status, 'PAUSED');
      open.push(paused.runId);
    }
    await cluster.temporal.cli(['workflow', 'pause', '--workflow-id', open[0] ?? '']);
  });
  after(() => cluster?.stop());

  const holdpoint = (
    folder: string,
    args: readonly string[],
    more: Record<string, string> = {},
  ) => {
    const env = {
      ...{ PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], ...more },
      ...{ TEMPORAL_ADDRESS: cluster.temporal.address, LOG_LEVEL: 'error', DATA_DIR: tempDir() },
    };
    return run(process.execPath, [join(folder, 'bin/holdpoint.mjs'), ...args], { env }).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      (failed: { code: number; stdout: string; stderr: string }) => ({
        code: failed.code,
        text: failed.stdout + failed.stderr,
      }),
    );
  };
  /** With Temporal's settings alone: there is no database in it. */
  const replay = (folder: string) => holdpoint(folder, ['replay']);
  const onDatabase = (...args: readonly string[]) =>
    holdpoint(ROOT, [...args, '--database'], { DATABASE_URL: cluster.databaseUrl });

  it('replay takes up every open run under this release, held ones, too', async () => {
    const { code, text } = await replay(ROOT);
    assert.match(text, /^3 open runs were replayed, 0 could not be taken up/m);
    assert.equal(code, 0, text);
  });

  it('replay names each that a release with other steps could not take up, and exits with 1', async () => {
    const copy = tempDir();
    for (const name of ['src', 'bin', 'package.json', 'tsconfig.json'])
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    const file = join(copy, 'src/workflows/agent-run.ts');
    const old = readFileSync(file, 'utf8');
    const before = 'callModel: async (turn) => {';
    assert.ok(old.includes(before), 'the place that this test changes is there');
    writeFileSync(file, old.replace(before, `${before}\n      await sleep(1);`));
    const { code, text } = await replay(copy);
    for (const runId of open)
      assert.match(text, new RegExp(`^${runId}: .*[Nn]on-?determin`, 'm'), text);
    assert.match(text, /^3 open runs were replayed, 3 could not be taken up/m);
    assert.match(text, /Do not roll this release out/);
    assert.equal(code, 1);
  });

  it('usage says what each org has used', async () => {
    const { code, text } = await onDatabase('usage');
    assert.match(text, /^acme  4 runs  \d+ \+ \d+ tokens  \d+ s active$/m);
    assert.match(text, /^1 orgs, /m);
    assert.equal(code, 0);
  });

  it('send sends what waits while no API and no worker runs, and says what is left', async () => {
    for (const one of [...cluster.apis, ...cluster.workers]) await one.kill9();
    const { store, close } = await openBench(cluster.databaseUrl);
    const { runId } = await drive(store).start();
    await close();
    const described = () => cluster.temporal.cli(['workflow', 'describe', '-w', runId]);
    await assert.rejects(described());
    const { code, text } = await onDatabase('send');
    assert.match(text, /Temporal has taken all that there was to send/);
    assert.equal(code, 0);
    assert.match(await described(), new RegExp(runId));
    // Those that wait for people do so on both sides; the new one is too young to be compared.
    const checked = await onDatabase('check');
    assert.match(checked.text, /open workflows were compared, 0 differ/);
    assert.equal(checked.code, 0);
  });
});
