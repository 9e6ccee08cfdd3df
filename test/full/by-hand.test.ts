import assert from 'node:assert/strict';
import { until } from '../rig/wait.ts';
import { startCluster, type Cluster } from '../e2e/cluster.ts';
import { followPlan, plan, type Caller } from '../e2e/stage.ts';

describe('a step of a run that an operator ends by hand in Temporal', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let ada: Caller;
  before(async function () {
    cluster = await startCluster(this, {
      reply: (body) =>
        JSON.stringify(body.messages).includes('the model hangs')
          ? { hang: 'before' }
          : followPlan(body),
    });
    ada = await cluster.as('ada');
  });
  after(() => cluster?.stop());

  const cli = (...args: readonly string[]) => cluster.temporal.cli(args);
  const executionOf = async (runId: string): Promise<string | undefined> =>
    /"runId":\s*"([^"]+)"/.exec(await cli('workflow', 'describe', '-w', runId, '-o', 'json'))?.[1];
  const pendingOf = async (runId: string): Promise<string> =>
    /"activityId":\s*"([^"]+)"/.exec(
      await cli('workflow', 'describe', '-w', runId, '-o', 'json'),
    )?.[1] ?? '';

  for (const [what, command] of [
    ['completed with null', ['complete', '--result', 'null']],
    [
      'completed with an answer of theirs',
      ['complete', '--result', '{"kind":"ANSWER","model":"m"}'],
    ],
    ['failed', ['fail', '--reason', 'enough']],
  ] as const)
    it(`${what} ends the run, and is shown as that`, async () => {
      const runId = await ada.begin(plan('the model hangs'));
      let activityId = '';
      await until('the step', async () => (activityId = await pendingOf(runId)) !== '', 60_000);
      await cli('activity', ...command, '-w', runId, '--activity-id', activityId);
      await until(
        'the end',
        async () => (await ada.read({ runId })).run.status === 'FAILED',
        20_000,
      );
      const { error } = (await ada.read({ runId })).run;
      assert.match(error?.message ?? '', /by hand/);
      assert.doesNotMatch(error?.message ?? '', /is gone/);
      await until('its workflow is closed', async () =>
        /FAILED/.test(await cli('workflow', 'describe', '-w', runId, '-o', 'json')),
      );
    });

  it('a reset of a cancelled run ends at once, as cancelled', async () => {
    const { run } = await ada.ask(plan([['pay', { amount: 5 }]], 'Paid.'));
    const { runId } = run;
    await ada.cancel(run);
    const closed = async (): Promise<boolean> =>
      /EXECUTION_STATUS_CANCELED/.test(
        await cli('workflow', 'describe', '-w', runId, '-o', 'json'),
      );
    await until('it is closed', closed);
    const before = await executionOf(runId);
    await cli(
      'workflow',
      'reset',
      '-w',
      runId,
      '--type',
      'FirstWorkflowTask',
      '--reason',
      'a test',
    );
    const began = performance.now();
    await until('it is closed again', closed, 30_000);
    assert.ok(performance.now() - began < 10_000);
    assert.notEqual(await executionOf(runId), before);
    assert.equal((await ada.read({ runId })).run.status, 'CANCELLED');
  });
});
