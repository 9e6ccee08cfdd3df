import assert from 'node:assert/strict';
import type { Delivery } from '../../src/contract/webhook.ts';
import { startProduct, type ProductProcess } from '../rig/product.ts';
import { tempDir } from '../rig/temp-dir.ts';
import { temporalCliPath } from '../rig/temporal.ts';
import { until } from '../rig/wait.ts';
import { startReceiver, type Receiver } from '../webhooks/receiver.ts';
import { callerOf, openStage, plan, tokenOf, type Stage } from './stage.ts';

describe('webhooks, by a real `npm start`', function () {
  this.timeout(300_000);
  let stage: Stage;
  let product: ProductProcess;
  let to: Receiver;

  before(async () => {
    stage = await openStage();
    to = await startReceiver();
    product = await startProduct({
      role: 'start',
      env: {
        ...stage.env,
        DATA_DIR: tempDir(),
        TEMPORAL_CLI: await temporalCliPath(),
        EGRESS_ALLOW: '127.0.0.1',
        PUBLIC_URL: 'https://agents.example.org',
      },
    });
  });
  after(async () => {
    await product?.stop();
    await to?.close();
    await stage?.close();
  });
  const admin = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${product.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await tokenOf('root', 3600, 'admin')}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return (await response.json()) as T;
  };

  it('kill -9 between a pause and its delivery: started again, it is delivered under the same id', async () => {
    const { webhookId, secret } = await admin<{ webhookId: string; secret: string }>(
      'POST',
      '/api/webhooks',
      { url: to.url, events: ['run.paused'] },
    );
    to.say('hang');
    const ada = callerOf(product.url, await tokenOf('ada'));
    const runId = await ada.begin(plan([['send', { note: 'told' }]], 'Sent.'));
    await until('an attempt is under way', () => to.hits.length === 1, 90_000);
    await product.kill9();
    to.say(204);
    await product.start();
    // The lease of the dead process ends after half a minute.
    await until('the next attempt', () => to.hits.length > 1, 120_000);
    const [first, second] = to.hits;
    assert.ok(first && second);
    assert.equal(second.id, first.id);
    assert.equal(second.text, first.text);
    to.verify(secret, second);
    assert.ok(second.body.type === 'run.paused');
    assert.equal(second.body.data.link, `https://agents.example.org/#/runs/${runId}`);
    await until('DELIVERED', async () => {
      const { data } = await admin<{ data: readonly Delivery[] }>(
        'GET',
        `/api/webhooks/${webhookId}/deliveries`,
      );
      const [line] = data;
      return data.length === 1 && line?.status === 'DELIVERED' && line.attempts === 2;
    });
    assert.equal(to.hits.length, 2);
  });
});
