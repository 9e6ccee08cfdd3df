// PostgreSQL and Temporal both put back, to different moments: real servers, real processes, the
// documented order of commands. Whichever side is the older one, no call goes out a second time
// without a person's word.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from '../rig/wait.ts';
import { deliveriesOf, startCluster, type Cluster } from '../e2e/cluster.ts';
import { plan, type Caller } from '../e2e/stage.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('both sides restored, to different moments', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let ada: Caller;
  let lea: Caller;
  before(async function () {
    cluster = await startCluster(this);
    ada = await cluster.as('ada');
    lea = await cluster.as('lea');
  });
  after(() => cluster?.stop());

  const processes = () => [...cluster.apis, ...cluster.workers];
  const down = () => Promise.all(processes().map((one) => one.kill9()));
  const up = () => Promise.all(processes().map((one) => one.start()));
  const pays = async (note: string) => {
    const { run } = await ada.ask(plan([['pay', { note, amount: 5 }]], 'Paid.'));
    assert.equal(run.status, 'PAUSED');
    return run;
  };
  const paid = (runId: string): number => deliveriesOf(cluster.stage, runId).length;
  const statusOf = async (runId: string): Promise<string> => {
    const { status, run } = await ada.read({ runId });
    return status === 404 ? 'NOT_FOUND' : `${run.status} ${run.error?.code ?? ''}`.trim();
  };
  const workflow = async (runId: string): Promise<string> => {
    const answer = await cluster.temporal
      .cli(['workflow', 'describe', '-w', runId, '-o', 'json'])
      .catch(() => '');
    return /"status":\s*"WORKFLOW_EXECUTION_STATUS_([A-Z_]+)"/.exec(answer)?.[1] ?? 'NOT_FOUND';
  };

  const live = () => new URL(cluster.databaseUrl).pathname.slice(1);
  const { copied, putBack } = {
    // A template has no connections.
    copied: async () => {
      await down();
      await until('nobody is connected', async () => {
        const rows = await cluster.postgres.sql(
          `select 1 from pg_stat_activity where datname = '${live()}'`,
        );
        return rows.length === 0;
      });
      await cluster.postgres.sql(`create database ${live()}_older template ${live()}`);
      await up();
    },
    putBack: async () => {
      await cluster.postgres.sql(`drop database ${live()} with (force)`);
      await cluster.postgres.sql(`alter database ${live()}_older rename to ${live()}`);
    },
  };
  const afterRestore = (): string =>
    execFileSync(process.execPath, ['--import', 'tsx', 'src/main/after-restore.ts'], {
      ...{ cwd: ROOT, encoding: 'utf8', timeout: 120_000 },
      env: { PATH: process.env['PATH'] ?? '', ...cluster.env },
    });

  /** What happens before the first moment, between the two, and after both. */
  async function restored(first: () => Promise<void>, second: () => Promise<void>) {
    const [same, between, cancelled, late] = [
      ...[await pays('same'), await pays('between')],
      ...[await pays('cancelled'), await pays('late')],
    ] as const;
    assert.ok(same && between && cancelled && late);
    await first();
    assert.equal((await lea.decide(between, { action: 'APPROVE' })).run.status, 'COMPLETED');
    await ada.cancel(cancelled);
    const younger = await pays('younger');
    await until('both are closed', async () =>
      (await Promise.all([between, cancelled].map((run) => workflow(run.runId)))).every(
        (status) => status !== 'RUNNING',
      ),
    );
    await second();
    assert.equal((await lea.decide(late, { action: 'APPROVE' })).run.status, 'COMPLETED');
    const lost = await pays('lost');
    await down();
    await putBack();
    await cluster.temporal.restore();
    const report = afterRestore();
    await up();
    // The reconciler leaves alone what was touched in the last twenty seconds.
    await cluster.postgres.sql(
      `update runs set updated_at = updated_at - interval '1 minute', closed_at = closed_at - interval '1 minute'`,
      cluster.databaseUrl,
    );
    return { same, between, cancelled, younger, late, lost, report };
  }
  type Runs = Awaited<ReturnType<typeof restored>>;
  async function stands(runs: Runs, expected: Readonly<Record<string, string>>): Promise<void> {
    const now = async () =>
      Object.fromEntries(
        await Promise.all(
          (['same', 'between', 'cancelled', 'younger', 'late', 'lost'] as const).map(
            async (name) =>
              [
                name,
                [await statusOf(runs[name].runId), await workflow(runs[name].runId)].join(),
              ] as const,
          ),
        ),
      );
    await until(
      'the two agree',
      async () => JSON.stringify(await now()) === JSON.stringify(expected),
      90_000,
    ).catch(async () => assert.deepEqual(await now(), expected, runs.report));
    const counts = (): readonly number[] =>
      [runs.same, runs.between, runs.cancelled, runs.younger, runs.late, runs.lost].map((run) =>
        paid(run.runId),
      );
    assert.deepEqual(counts(), [0, 1, 0, 0, 1, 0], 'nothing is sent by itself');
    assert.equal((await lea.decide(runs.same, { action: 'APPROVE' })).run.status, 'COMPLETED');
    // Neither remembers that it was decided and paid: a person is asked, and says no.
    assert.equal((await lea.decide(runs.late, { action: 'REJECT' })).run.status, 'COMPLETED');
    assert.deepEqual(counts(), [1, 1, 0, 0, 1, 0]);
  }

  it('PostgreSQL to the older one: what it lacks is ended, what both know goes on, and nothing is sent twice', async () => {
    const runs = await restored(copied, () => cluster.temporal.backup());
    await stands(runs, {
      same: 'PAUSED,RUNNING',
      between: 'FAILED TERMINATED,COMPLETED',
      cancelled: 'CANCELLED,CANCELED',
      younger: 'NOT_FOUND,FAILED',
      late: 'PAUSED,RUNNING',
      lost: 'NOT_FOUND,NOT_FOUND',
    });
  });

  it('Temporal to the older one: its workflows are led to the record, and nothing is sent twice', async () => {
    const runs = await restored(() => cluster.temporal.backup(), copied);
    await stands(runs, {
      same: 'PAUSED,RUNNING',
      between: 'COMPLETED,COMPLETED',
      cancelled: 'CANCELLED,CANCELED',
      younger: 'FAILED TERMINATED,NOT_FOUND',
      late: 'PAUSED,RUNNING',
      lost: 'NOT_FOUND,NOT_FOUND',
    });
  });
});
