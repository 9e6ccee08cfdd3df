// The second listener: what is counted, what is read of the record, and what it says of the process.

import assert from 'node:assert/strict';
import { get } from 'node:http';
import { createMeter } from '../../src/metrics/meter.ts';
import { listenForMetrics, type MetricsListener } from '../../src/metrics/listener.ts';
import { createRecordGauges } from '../../src/metrics/record-gauges.ts';
import { ModelError, type Model } from '../../src/models/model.ts';
import { StoreUnavailableError, type Store } from '../../src/store/database/access.ts';
import { newOrg, startApiRig, type ApiRig } from '../api/api-rig.ts';

const HOST = { host: '127.0.0.1', port: 0, mayMove: false };

/** fetch sets its own Host. */
const statusAs = (url: string, headers: Record<string, string>): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).once('error', reject);
  });

describe('metrics', () => {
  let api: ApiRig;
  const open: MetricsListener[] = [];
  const listen = async (...[parts]: Parameters<typeof listenForMetrics>) => {
    const listener = await listenForMetrics(parts);
    open.push(listener);
    return listener;
  };
  before(async () => {
    api = await startApiRig();
  });
  after(async () => {
    for (const listener of open) await listener.close();
    await api.close();
  });

  /** The page of a meter over a store, read as Prometheus does. */
  const pageOf = async (store: Store, meter = createMeter()) => {
    const { look } = createRecordGauges(store, meter.registry);
    const { url } = await listen({
      ...HOST,
      ...{ registry: meter.registry, look, notReady: async () => [] },
    });
    return async () => {
      const answered = await fetch(`${url}/metrics`);
      assert.equal(answered.status, 200);
      return answered.text();
    };
  };
  const value = (page: string, line: RegExp): number =>
    Number(
      page
        .split('\n')
        .find((each) => line.test(each))
        ?.split(' ')
        .at(-1) ?? Number.NaN,
    );

  it('count the runs that ended, by agent and status, once each, and what they waited for people', async () => {
    const meter = createMeter();
    api.store.onRunEnded(meter.runEnded);
    const ada = api.as('ada', { org: newOrg() });
    await ada.run('guard', 'answer');
    const { runId } = (await ada.run('guard', 'pause')).json;
    await ada.decide('guard', runId, { action: 'APPROVE' });
    const stays = (await ada.run('guard', 'stay', {}, { prefer: 'respond-async' })).json;
    for (const _ of ['first', 'again'])
      await ada.call('DELETE', `/api/agents/guard/runs/${stays.runId}`);
    const page = await (await pageOf(api.store, meter))();
    const ended = (status: string): number =>
      value(page, new RegExp(`^holdpoint_runs_ended_total.*agent="guard",status="${status}"`));
    assert.deepEqual([ended('COMPLETED'), ended('CANCELLED')], [2, 1]);
    assert.equal(value(page, /^holdpoint_run_waited_for_people_seconds_count/), 1);
    assert.match(page, /^nodejs_eventloop_lag_seconds /m);
  });

  it('say what is open, the oldest call that waits, and the outbox, and no word of anybody', async () => {
    const ada = api.as('ada', { org: newOrg() });
    const { pending } = (await ada.run('lea_only', 'pause', {}, { prefer: 'wait=5' })).json;
    assert.equal(pending.length, 1);
    const page = await (await pageOf(api.store))();
    assert.ok(value(page, /^holdpoint_runs_open.*agent="lea_only",status="PAUSED"/) >= 1);
    assert.ok(value(page, /^holdpoint_approvals_open /) >= 1);
    assert.ok(value(page, /^holdpoint_approvals_oldest_seconds /) > 0);
    assert.ok(value(page, /^holdpoint_outbox_oldest_seconds /) >= 0);
    assert.equal(value(page, /^holdpoint_database_up /), 1);
    assert.doesNotMatch(page, /run_[0-9a-f]|INSTRUCTION-CANARY|"ada"/);
  });

  it('show no old figure of a database that does not answer', async () => {
    const asReconciler: Store['asReconciler'] = () =>
      Promise.reject(new StoreUnavailableError(false, false, undefined));
    const page = await (await pageOf({ ...api.store, asReconciler }))();
    assert.equal(value(page, /^holdpoint_database_up /), 0);
    assert.doesNotMatch(page, /^holdpoint_(?:approvals|outbox|runs_open)\w* /m);
  });

  it('time a model by its fault, and count the tokens that it reported', async () => {
    const meter = createMeter();
    const replies = [
      { usage: { promptTokens: 7, completionTokens: 3 } },
      new ModelError('RATE_LIMITED', 'Too many.'),
    ];
    const model = meter.measured({
      stream: async () => {
        const next = replies.shift();
        if (next instanceof Error) throw next;
        return next;
      },
    } as unknown as Model);
    const ask = () => model.stream({ model: 'm', messages: [], tools: [] }, {} as never);
    await ask();
    await assert.rejects(ask(), ModelError);
    meter.toolEnded('pay', 'unknown');
    const page = await meter.registry.metrics();
    assert.equal(value(page, /^holdpoint_model_tokens_total.*kind="completion"/), 3);
    assert.equal(value(page, /^holdpoint_model_seconds_count.*fault="RATE_LIMITED"/), 1);
    assert.equal(value(page, /^holdpoint_tool_calls_total.*tool="pay",outcome="unknown"/), 1);
    assert.equal(value(page, /^holdpoint_model_calls_under_way /), 0);
  });

  it('tell a launcher whether the process is alive and ready, and take GET alone', async () => {
    let problems: readonly string[] = ['Temporal does not answer.'];
    const { registry } = createMeter();
    const parts = { registry, look: async () => undefined, notReady: async () => problems };
    const { url } = await listen({ ...HOST, ...parts });
    const statusOf = async (path: string, method = 'GET') =>
      (await fetch(`${url}${path}`, { method })).status;
    assert.deepEqual([await statusOf('/health/live'), await statusOf('/health/ready')], [200, 503]);
    problems = [];
    assert.equal(await statusOf('/health/ready'), 200);
    assert.deepEqual([await statusOf('/api/runs'), await statusOf('/metrics', 'POST')], [404, 405]);
    // A page whose name was pointed at the loopback.
    for (const headers of [
      { host: 'evil.example:1' },
      { host: 'x' },
      { origin: 'http://localhost' },
    ])
      assert.equal(await statusAs(`${url}/metrics`, headers), 403);
    assert.equal(await statusAs(`${url}/metrics`, { host: 'localhost:9464' }), 200);
    // Where the port is taken: a setting is an error, the default moves.
    const port = Number(new URL(url).port);
    const again = { ...HOST, ...parts, port };
    await assert.rejects(listenForMetrics(again), /METRICS_PORT/);
    const moved = await listen({ ...again, mayMove: true });
    assert.notEqual(new URL(moved.url).port, String(port));
  });
});
