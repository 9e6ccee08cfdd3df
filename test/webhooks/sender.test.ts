// Deliveries as they go out: signed so that the scheme's own library takes them, tried again under
// one id, and no receiver at another's cost. The store is in memory, the sockets are real.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { listDeliveries } from '../../src/store/webhooks/deliveries.ts';
import { createWebhook, findWebhook } from '../../src/store/webhooks/webhooks.ts';
import { createWebhookSender, type WebhookSenderDeps } from '../../src/webhooks/sender.ts';
import { atIntervals } from '../rig/at-intervals.ts';
import { until } from '../rig/wait.ts';
import { drive, openBench, type Bench } from '../store/fixture.ts';
import { newWebhook } from '../store/webhooks-fixture.ts';
import { startReceiver, type Receiver } from './receiver.ts';

describe('the webhook sender', () => {
  let bench: Bench;
  const closing: (() => Promise<void>)[] = [];
  beforeEach(async () => {
    bench = await openBench();
    closing.push(() => bench.close());
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });

  const receiver = async (): Promise<Receiver> => {
    const made = await startReceiver();
    closing.push(() => made.close());
    return made;
  };
  const send = (more: Partial<WebhookSenderDeps> = {}) => {
    const log = { warn: () => undefined };
    const egressAllow = ['127.0.0.1'];
    const sender = createWebhookSender({
      onDue: (_, look) => atIntervals(500)(look),
      ...{ store: bench.store, egressAllow, publicUrl: 'https://p.example', log },
      ...more,
    });
    closing.push(() => sender.stop());
    return sender;
  };
  const subscribe = async (orgId: string, url: string) => {
    const webhook = newWebhook(orgId, { url });
    await bench.store.asOrg(orgId, (tx) => createWebhook(tx, webhook));
    return webhook;
  };
  const newOrg = () => `org-${randomUUID()}`;
  /** A run of the org that ends at once: one delivery to each of its webhooks. */
  const settle = async (orgId: string) => {
    const run = await drive(bench.store).start({ orgId });
    await drive(bench.store).cancel(run);
    return run;
  };
  const linesOf = async (orgId: string, webhookId: string) =>
    (await bench.store.asOrg(orgId, (tx) => listDeliveries(tx, webhookId, { limit: 100 }))).items;
  const anHourPasses = () =>
    sql`update webhook_deliveries set next_at = next_at - interval '1 hour', give_up_at = give_up_at - interval '1 hour'`.execute(
      bench.db.kysely,
    );

  it('what it sends the scheme’s own library verifies, with the fields of the contract and a link to the page', async () => {
    const to = await receiver();
    const orgId = newOrg();
    const webhook = await subscribe(orgId, to.url);
    send();
    const run = await drive(bench.store).start({ orgId });
    const ids = await drive(bench.store).asks(run, 1, ['send'], '{"x":"<b>\u202e ü 🦓"}');
    await drive(bench.store).pause(run, 1, 1, ids);
    await until('the delivery', () => to.hits.length === 1);
    const [hit] = to.hits;
    assert.ok(hit);
    to.verify(webhook.secret, hit);
    assert.throws(() => to.verify(newWebhook(orgId).secret, hit));
    assert.throws(() => to.verify(webhook.secret, { ...hit, text: `${hit.text} ` }));
    assert.ok(hit.body.type === 'run.paused');
    const { data } = hit.body;
    assert.deepEqual(
      [data.orgId, data.agentId, data.runId, data.sessionId, data.userId, data.status],
      [orgId, 'agent', run.runId, run.sessionId, 'ada', 'PAUSED'],
    );
    assert.equal(data.link, `https://p.example/#/runs/${run.runId}`);
    assert.deepEqual(data.pending?.[0]?.arguments, { x: '<b>\u202e ü 🦓' });
    assert.ok(!hit.text.includes(run.input));
    await until('DELIVERED', async () => {
      const [line] = await linesOf(orgId, webhook.webhookId);
      return line?.status === 'DELIVERED' && line.attempts === 1 && line.lastStatus === 204;
    });
  });

  it('a receiver that was down for hours gets each event under its one id, signed anew', async () => {
    const to = await receiver();
    const elsewhere = await receiver();
    const orgId = newOrg();
    const webhook = await subscribe(orgId, to.url);
    to.say(500);
    send();
    await settle(orgId);
    const modes = ['cut', { redirect: elsewhere.url }, 304, 503, 101] as const;
    for (const [n, mode] of modes.entries()) {
      await until('an attempt', () => to.hits.length === n + 1);
      to.say(mode);
      // An attempt counts from its lease on: only what came of it says when the next is due.
      await until('written', async () => {
        const { rows } = await sql<{ attempts: number; leased: boolean }>`
          select attempts, claimed_until is not null as leased from webhook_deliveries
          where webhook_id = ${webhook.webhookId}`.execute(bench.db.kysely);
        return rows[0]?.attempts === n + 1 && !rows[0].leased;
      });
      await anHourPasses();
    }
    await until('the last attempt', () => to.hits.length === modes.length + 1);
    to.say(200);
    await until('its failure', async () => {
      const [line] = await linesOf(orgId, webhook.webhookId);
      return line?.status === 'PENDING' && line.lastStatus === 101;
    });
    await anHourPasses();
    await until('DELIVERED', async () => {
      const [line] = await linesOf(orgId, webhook.webhookId);
      return line?.status === 'DELIVERED';
    });
    assert.equal(new Set(to.hits.map((hit) => hit.id)).size, 1);
    assert.equal(new Set(to.hits.map((hit) => hit.text)).size, 1);
    for (const hit of to.hits) to.verify(webhook.secret, hit);
    assert.equal(elsewhere.hits.length, 0, 'redirects are not followed');
  });

  it('a thousand deliveries at once all arrive, each once, by two senders that share them', async () => {
    const to = await receiver();
    const orgId = newOrg();
    const { webhookId } = await subscribe(orgId, to.url);
    await settle(orgId);
    await sql`
      insert into webhook_deliveries (delivery_id, webhook_id, org_id, run_id, event, event_key, record, give_up_at)
      select delivery_id || n, webhook_id, org_id, run_id, event, event_key || n, record, give_up_at
      from webhook_deliveries, generate_series(1, 999) n`.execute(bench.db.kysely);
    send();
    send();
    await until('all of them', () => to.hits.length >= 1000, 60_000);
    await until('written', async () => {
      const { rows } = await sql<{ n: number }>`
        select count(*)::int as n from webhook_deliveries where webhook_id = ${webhookId} and status = 'DELIVERED'`.execute(
        bench.db.kysely,
      );
      return rows[0]?.n === 1000;
    });
    assert.equal(to.hits.length, 1000);
    assert.equal(new Set(to.hits.map((hit) => hit.id)).size, 1000);
  });

  it('one receiver that hangs among ten delays none of the others, and is left after its time', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, receiver));
    const orgs = all.map(newOrg);
    for (const [i, to] of all.entries()) await subscribe(orgs[i] ?? '', to.url);
    all[0]?.say('hang');
    const hangs = all[0]?.hits ?? [];
    // The time of an attempt is far above what this test may take under load: whatever waited for
    // the one that hangs would wait for longer than the test lets it.
    const timeoutMs = 300_000;
    const sender = send({ timeoutMs });
    await settle(orgs[0] ?? '');
    await until('the one that hangs has a request', () => hangs.length === 1);
    for (let n = 0; n < 15; n++) for (const orgId of orgs) await settle(orgId);
    await until('the others', () => all.slice(1).every((to) => to.hits.length === 15), 50_000);
    // Of sixteen, so many as a webhook that has never answered gets at once.
    assert.ok(hangs.length <= 2, `${hangs.length} requests to the one that hangs`);
    await sender.stop();
    send({ timeoutMs: 100 });
    await until('left', async () => {
      const { rows } = await sql`
        select 1 from webhook_deliveries where last_error = 'no answer within 100 ms'`.execute(
        bench.db.kysely,
      );
      return rows.length > 0;
    });
  }).timeout(120_000);

  it('stopped, it leaves what hangs to another process, which sends it at once', async () => {
    const to = await receiver();
    const orgId = newOrg();
    const { webhookId } = await subscribe(orgId, to.url);
    to.say('hang');
    const first = send({ timeoutMs: 300_000 });
    await settle(orgId);
    await until('under way', () => to.hits.length === 1);
    await first.stop();
    const [line] = await linesOf(orgId, webhookId);
    assert.deepEqual([line?.status, line?.lastError], ['PENDING', null]);
    to.say(200);
    send();
    // Left alone, the lease of half a minute would keep it for longer than this waits.
    await until('the second attempt', () => to.hits.length === 2);
    assert.equal(to.hits[1]?.id, to.hits[0]?.id);
  });

  it('410 makes the webhook inactive', async () => {
    const to = await receiver();
    const orgId = newOrg();
    const { webhookId } = await subscribe(orgId, to.url);
    to.say(410);
    send();
    await settle(orgId);
    await until('inactive', async () => {
      const webhook = await bench.store.asOrg(orgId, (tx) => findWebhook(tx, orgId, webhookId));
      return webhook?.active === false;
    });
    await settle(orgId);
    const lines = await linesOf(orgId, webhookId);
    assert.deepEqual(
      lines.map((line) => [line.status, line.lastStatus]),
      [['FAILED', 410]],
    );
  });

  it('an address that is not allowed any more is not connected to, whatever was allowed when it was made', async () => {
    const to = await receiver();
    const orgId = newOrg();
    for (const url of [to.url, to.url.replace('127.0.0.1', 'localhost')])
      await subscribe(orgId, url);
    send({ egressAllow: [] });
    await settle(orgId);
    await until('refused', async () => {
      const { rows } = await sql<{ e: string }>`
        select last_error as e from webhook_deliveries where last_error like '%public%'`.execute(
        bench.db.kysely,
      );
      return rows.length === 2;
    });
    assert.equal(to.hits.length, 0);
  });
});
