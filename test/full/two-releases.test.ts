// A rolling deployment: processes of the first release, taken from the history of this repository,
// beside this one's, on one database and one Temporal. A clone without that history fails here.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { callerOf, plan, tokenOf, type Caller } from '../e2e/stage.ts';
import { deliveriesOf, startCluster, type Cluster } from '../e2e/cluster.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { until } from '../rig/wait.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The last commit of the first release. */
const FIRST_RELEASE = '71081d5';

function firstRelease(): string {
  const folder = tempDir();
  const run = (command: string, args: readonly string[], input?: Buffer): Buffer =>
    execFileSync(command, args, { cwd: ROOT, maxBuffer: 1 << 28, ...(input ? { input } : {}) });
  try {
    run('git', ['cat-file', '-e', `${FIRST_RELEASE}^{commit}`]);
  } catch (error) {
    throw new Error(`the commit ${FIRST_RELEASE} is not in this clone: fetch the whole history`, {
      cause: error,
    });
  }
  mkdirSync(folder, { recursive: true });
  run('tar', ['-x', '-C', folder], run('git', ['archive', FIRST_RELEASE]));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

describe('the first release beside this one', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let ada: Caller;
  let lea: Caller;
  let adaBefore: Caller;
  let older: Record<'api' | 'worker', ProductProcess>;
  before(async function () {
    this.timeout(180_000);
    // This release's API has migrated the database; there is no worker of this release yet.
    cluster = await startCluster(this, { workers: 0 });
    const folder = firstRelease();
    const begin = (role: 'api' | 'worker') =>
      startProduct({
        role,
        firstReleaseIn: folder,
        env: { ...cluster.env, DATA_DIR: tempDir() },
        noWait: role === 'worker',
      });
    older = { api: await begin('api'), worker: await begin('worker') };
    [ada, lea] = [await cluster.as('ada'), await cluster.as('lea')];
    adaBefore = callerOf(older.api.url, await tokenOf('ada'));
  });
  after(async () => {
    for (const one of Object.values(older ?? {})) await one.kill9();
    await cluster?.stop();
  });

  const pays = (): string => plan([['pay', { amount: 5 }]], 'Paid.');
  const standing = (runId: string, status: string) =>
    until(
      `${runId} is ${status}`,
      async () => (await ada.read({ runId })).run.status === status,
      90_000,
    );
  const paidOnce = (runId: string) =>
    assert.equal(deliveriesOf(cluster.stage, runId).length, 1, runId);

  it('its API and worker start on this database and lead a run to its end', async () => {
    const { run } = await adaBefore.ask(pays());
    assert.equal(run.status, 'PAUSED');
    const end = await callerOf(older.api.url, await tokenOf('lea')).decide(run, {
      action: 'APPROVE',
    });
    assert.deepEqual([end.run.status, end.run.content], ['COMPLETED', 'Paid.']);
    paidOnce(run.runId);
  });

  it('a run that its worker holds goes on when it is decided at the new API', async () => {
    const { run } = await adaBefore.ask(pays());
    await lea.decide(run, { action: 'APPROVE' }, 'respond-async');
    await standing(run.runId, 'COMPLETED');
    paidOnce(run.runId);
  });

  it('a run that was started at the new API is led by its worker', async () => {
    const { run } = await ada.ask(pays());
    assert.equal(run.status, 'PAUSED');
    await lea.decide(run, { action: 'REJECT' }, 'respond-async');
    await standing(run.runId, 'COMPLETED');
    assert.equal(deliveriesOf(cluster.stage, run.runId).length, 0);
  });

  it('a run that paused under its worker goes on under the new one', async () => {
    const { run } = await adaBefore.ask(pays());
    await older.worker.kill9();
    const worker = await startProduct({
      role: 'worker',
      env: { ...cluster.env, DATA_DIR: tempDir() },
      noWait: true,
    });
    try {
      await lea.decide(run, { action: 'APPROVE' }, 'respond-async');
      await standing(run.runId, 'COMPLETED');
      paidOnce(run.runId);
    } finally {
      await worker.kill9();
    }
  });
});
