import assert from 'node:assert/strict';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';
import { callerOf, openStage, tokenOf, type Stage } from './stage.ts';

describe('the log of a real `npm start`', function () {
  this.timeout(90_000);
  let stage: Stage;
  let product: ProductProcess;

  before(async () => {
    stage = await openStage(() => ({
      status: 400,
      body: '{"error":{"message":"no such model","code":"model_not_found"}}',
    }));
    product = await startProduct({
      role: 'start',
      env: {
        ...stage.env,
        LOG_LEVEL: 'info',
        DATA_DIR: tempDir(),
        TEMPORAL_CLI: await temporalCliPath(),
      },
    });
  });
  after(async () => {
    await product?.stop();
    await stage?.close();
  });

  it('names the page of its metrics, on which those of Temporal’s SDK stand beside its own', async () => {
    const [, page = ''] = /"url":"(http[^"]+\/metrics)"/.exec(product.log()) ?? [];
    await callerOf(product.url, await tokenOf('ada')).ask('anything');
    await until('they are there', async () => {
      const text = await (await fetch(page)).text();
      return (
        /^temporal_request_total\{.*operation="\w+/m.test(text) &&
        /^temporal_worker_task_slots_available\{/m.test(text) &&
        /^temporal_activity_execution_latency_seconds_bucket\{.*activity_type="callModel"/m.test(
          text,
        ) &&
        /^holdpoint_database_up /m.test(text)
      );
    });
  });

  it('has one line of a failed run with its id, its code and its causes, and no question and no task token in any', async () => {
    const caller = callerOf(product.url, await tokenOf('ada'));
    const { run, headers } = await caller.ask('a question that is nobody else its business');
    assert.deepEqual([run.status, run.error?.code], ['FAILED', 'MODEL_REJECTED']);
    const lines = (): readonly Record<string, unknown>[] =>
      product
        .log()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line));
    const ended = () => lines().filter((line) => line['runId'] === run.runId && line['code']);
    while (ended().length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await product.stop();
    assert.deepEqual(
      ended().map(({ msg, code }) => [msg, code]),
      [['a run failed', 'MODEL_REJECTED']],
    );
    const started = lines().find(
      ({ msg, runId }) => msg === 'a run was started' && runId === run.runId,
    );
    assert.deepEqual(
      [started?.['runId'], started?.['requestId']],
      [run.runId, headers.get('x-request-id')],
    );
    assert.ok(String(ended()[0]?.['cause']).includes(run.error?.message ?? 'none'));
    assert.ok(lines().every(({ msg }) => msg !== 'Workflow failed'));
    assert.ok(lines().some(({ err }) => /MODEL|model/.test(JSON.stringify(err ?? ''))));
    assert.doesNotMatch(product.log(), /nobody else|taskToken|task_token/);
  });
});
