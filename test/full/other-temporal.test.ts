// The agreement of the two records on real servers: a Temporal that was put back to an older state
// (its database file copied away and back), one that is another, and one that has forgotten a run.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startProduct } from '../rig/product.ts';
import { startTemporal, type TemporalRig } from '../rig/temporal.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { until } from '../rig/wait.ts';
import { deliveriesOf, startCluster, type Cluster } from '../e2e/cluster.ts';
import { plan, type Caller } from '../e2e/stage.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('a Temporal that is not what it was', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let other: TemporalRig;
  let ada: Caller;
  let lea: Caller;
  before(async function () {
    [cluster, other] = await Promise.all([startCluster(this), startTemporal()]);
    ada = await cluster.as('ada');
    lea = await cluster.as('lea');
  });
  after(async () => {
    await cluster?.stop();
    await other?.stop();
  });

  const sql = (text: string) => cluster.postgres.sql(text, cluster.databaseUrl);
  const statusOf = async (runId: string) => (await ada.read({ runId })).run.status;
  const standing = (runId: string, status: string) =>
    until(`${runId} is ${status}`, async () => (await statusOf(runId)) === status, 60_000);
  const workflow = async (runId: string): Promise<string> => {
    const answer = await cluster.temporal
      .cli(['workflow', 'describe', '-w', runId, '-o', 'json'])
      .catch(() => '');
    return /"status":\s*"WORKFLOW_EXECUTION_STATUS_([A-Z_]+)"/.exec(answer)?.[1] ?? 'NOT_FOUND';
  };
  const pays = (note: string): string => plan([['pay', { note, amount: 5 }]], 'Paid.');
  /** The reconciler's sweep leaves alone what was touched in the last twenty seconds. */
  const aged = () =>
    sql(
      `update runs set updated_at = updated_at - interval '1 minute', closed_at = closed_at - interval '1 minute'`,
    );

  it('a worker that is led to another one exits and says what to do; the runs stay as they are', async () => {
    const { run } = await ada.ask(pays('stays'));
    assert.equal(run.status, 'PAUSED');
    for (const role of ['worker', 'api'] as const) {
      const stranger = await startProduct({
        role,
        env: { ...cluster.env, TEMPORAL_ADDRESS: other.address, DATA_DIR: tempDir() },
        noWait: true,
      });
      assert.equal((await stranger.exited()).code, 1);
      assert.match(stranger.log(), /belongs to another Temporal.*npm run temporal-changed/s);
    }
    assert.equal(await statusOf(run.runId), 'PAUSED');
    await ada.cancel(run);
  });

  it('a new and empty database refuses a Temporal that is full of open runs', async () => {
    const { run } = await ada.ask(pays('not ended'));
    const lost = await startProduct({
      role: 'worker',
      env: {
        ...cluster.env,
        DATABASE_URL: await cluster.postgres.createDatabase(),
        DATA_DIR: tempDir(),
      },
      noWait: true,
    });
    assert.equal((await lost.exited()).code, 1);
    assert.match(
      lost.log(),
      /new and empty, but the Temporal namespace "default" has 1 open run\b/,
    );
    assert.equal(await workflow(run.runId), 'RUNNING');
    await ada.cancel(run);
  });

  it('restored from an older backup: wakes what waits, ends what has ended, starts again what is gone', async () => {
    const [decided, left, cancelled] = await Promise.all(
      ['decided', 'left', 'cancelled'].map(async (note) => (await ada.ask(pays(note))).run),
    );
    assert.ok(decided && left && cancelled);
    await cluster.temporal.backup();
    // What the backup does not know.
    assert.equal((await lea.decide(decided, { action: 'APPROVE' })).run.status, 'COMPLETED');
    await ada.cancel(cancelled);
    const { run: younger } = await ada.ask(pays('younger'));
    const { run: twice } = await ada.ask(
      plan([['note', { note: 'went out' }]], [['pay', { amount: 5 }]], 'Paid.'),
    );
    await until('it is closed', async () => (await workflow(cancelled.runId)) === 'CANCELED');
    await cluster.temporal.restore();
    assert.equal(await workflow(decided.runId), 'RUNNING');
    assert.equal(await workflow(younger.runId), 'NOT_FOUND');
    await aged();

    await until(
      'the completed one closes',
      async () => (await workflow(decided.runId)) !== 'RUNNING',
      60_000,
    );
    await until(
      'the cancelled one closes',
      async () => (await workflow(cancelled.runId)) === 'CANCELED',
      60_000,
    );
    assert.equal(await workflow(decided.runId), 'COMPLETED');
    await until(
      'the younger one is there',
      async () => (await workflow(younger.runId)) === 'RUNNING',
      60_000,
    );
    await standing(twice.runId, 'FAILED');
    assert.equal((await ada.read(twice)).run.error?.code, 'TERMINATED');
    for (const run of [left, younger])
      assert.equal((await lea.decide(run, { action: 'APPROVE' })).run.status, 'COMPLETED');
    for (const [run, most] of [
      ...([
        [decided, 1],
        [left, 1],
        [younger, 1],
        [cancelled, 0],
        [twice, 1],
      ] as const),
    ])
      assert.equal(deliveriesOf(cluster.stage, run.runId).length, most, run.runId);
  });

  it('the record was decided and the wake-up is forgotten: the run is woken again and pays once', async () => {
    const { run } = await ada.ask(pays('woken'));
    await cluster.temporal.backup();
    for (const worker of cluster.workers) await worker.kill9();
    const answer = await lea.decide(run, { action: 'APPROVE' }, 'respond-async');
    assert.equal(answer.status, 202);
    await until('the wake-up is taken', async () =>
      (
        await sql(
          `select acknowledged_at from outbox where run_id = '${run.runId}' and kind = 'SIGNAL'`,
        )
      ).every((row) => row['acknowledged_at'] !== null),
    );
    await cluster.temporal.restore();
    await Promise.all(cluster.workers.map((worker) => worker.start()));
    await aged();
    await standing(run.runId, 'COMPLETED');
    assert.equal(deliveriesOf(cluster.stage, run.runId).length, 1);
  });

  it('moved to another one by the documented command: what did nothing starts again there, what did is ended', async () => {
    const { run: fresh } = await ada.ask(pays('moved'));
    const { run: acted } = await ada.ask(
      plan([['note', { note: 'went out' }]], [['pay', { amount: 5 }]], 'Paid.'),
    );
    const changed = (): string =>
      execFileSync(process.execPath, ['--import', 'tsx', 'src/main/temporal-changed.ts'], {
        ...{ cwd: ROOT, encoding: 'utf8', timeout: 60_000, stdio: 'pipe' },
        env: { PATH: process.env['PATH'] ?? '', ...cluster.env },
      });
    assert.throws(changed, /API or worker processes use this database. Stop them first/);
    for (const one of [...cluster.apis, ...cluster.workers]) await one.kill9();
    await until('they are gone', () => {
      try {
        return changed() !== '';
      } catch {
        return false;
      }
    });
    const env = { ...cluster.env, TEMPORAL_ADDRESS: other.address };
    const moved = [
      await startProduct({
        role: 'api',
        env: { ...env, DATA_DIR: tempDir(), PORT: String(cluster.apis[0]?.port) },
      }),
      await startProduct({ role: 'worker', env: { ...env, DATA_DIR: tempDir() }, noWait: true }),
    ];
    try {
      await aged();
      await standing(acted.runId, 'FAILED');
      await until(
        'it waits there',
        async () =>
          /Running/i.test(
            await other.cli(['workflow', 'describe', '-w', fresh.runId]).catch(() => ''),
          ),
        60_000,
      );
      assert.equal((await lea.decide(fresh, { action: 'APPROVE' })).run.status, 'COMPLETED');
      assert.equal(deliveriesOf(cluster.stage, fresh.runId).length, 1);
    } finally {
      for (const one of moved) await one.kill9();
    }
  });
});
