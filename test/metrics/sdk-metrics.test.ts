import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { createSdkMetrics } from '../../src/metrics/sdk-metrics.ts';

describe("the metrics of Temporal's SDK", () => {
  it('are counted, set and timed under their names with the unit, by the labels that are known', async () => {
    const registry = new Registry();
    const take = createSdkMetrics(registry);
    const polled = { name: 'temporal_request', kind: 'counter', description: 'Requests.' };
    const slots = { name: 'temporal_worker_task_slots_used', kind: 'gauge' };
    const took = { name: 'temporal_request_latency', kind: 'histogram', unit: 's' };
    const attributes = { operation: 'StartWorkflowExecution', a_new_one: 'x' };
    take([
      { metric: polled, value: 2, attributes },
      { metric: polled, value: 3, attributes: { ...attributes, a_new_one: 'y' } },
      { metric: slots, value: 7, attributes: { worker_type: 'ActivityWorker' } },
      { metric: took, value: 0.02, attributes },
    ]);
    take([{ metric: slots, value: 4, attributes: { worker_type: 'ActivityWorker' } }]);
    const page = await registry.metrics();
    for (const line of [
      'temporal_request_total{operation="StartWorkflowExecution"} 5',
      'temporal_worker_task_slots_used{worker_type="ActivityWorker"} 4',
      'temporal_request_latency_seconds_bucket{le="0.05",operation="StartWorkflowExecution"} 1',
    ])
      assert.ok(page.includes(line), `${line}\n${page}`);
  });
});
