// Webhooks in the store, on either database: lines in the transaction of the change, leases, back-off,
// giving up. Time is moved by moving the lines.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { deleteOldDeliveries } from '../../src/store/retention.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { listDeliveries, retryDelivery } from '../../src/store/webhooks/deliveries.ts';
import { announceExpiringPauses } from '../../src/store/webhooks/expiring.ts';
import {
  leaseDeliveries,
  recordOutcomes,
  type DeliveryOutcome,
  type LeasedDelivery,
} from '../../src/store/webhooks/queue.ts';
import {
  addWaitingDeliveries,
  type RecordAtEvent,
} from '../../src/store/webhooks/new-deliveries.ts';
import { createWebhook, findWebhook, type NewWebhook } from '../../src/store/webhooks/webhooks.ts';
import { agent, all, drive, one, person, type Bench } from './fixture.ts';
import { newWebhook } from './webhooks-fixture.ts';

export function describeWebhooks(bench: () => Bench): void {
  const setUp = async (more: Partial<NewWebhook> = {}) => {
    const { store } = bench();
    const orgId = `org-${randomUUID()}`;
    const webhook = newWebhook(orgId, more);
    await store.asOrg(orgId, (tx) => createWebhook(tx, webhook));
    const { webhookId } = webhook;
    const lines = () =>
      store
        .asOrg(orgId, (tx) => listDeliveries(tx, webhookId, { limit: 100 }))
        .then(({ items }) => items.toReversed());
    const lease = (most = 100, room = 100): Promise<readonly LeasedDelivery[]> =>
      store
        .asReconciler((tx) => leaseDeliveries(tx, { most, room, rooms: {}, last: [] }))
        .then((leased) => leased.filter((d) => d.webhookId === webhookId));
    const came = (delivery: LeasedDelivery, kind: DeliveryOutcome['kind'], status = 500) => {
      const { deliveryId, attempt } = delivery;
      const outcome = { deliveryId, webhookId, attempt, kind, status, error: null };
      return store.asReconciler((tx) => recordOutcomes(tx, [outcome]));
    };
    const hoursPass = (hours: number) =>
      sql`update webhook_deliveries set next_at = next_at - make_interval(hours => ${hours}::int),
        give_up_at = give_up_at - make_interval(hours => ${hours}::int), created_at = created_at - make_interval(hours => ${hours}::int),
        claimed_until = claimed_until - make_interval(hours => ${hours}::int) where webhook_id = ${webhookId}`.execute(
        bench().db.kysely,
      );
    return { s: drive(store), store, orgId, webhookId, lines, lease, came, hoursPass };
  };
  const told = (delivery: LeasedDelivery | undefined): RecordAtEvent => {
    assert.ok(delivery !== undefined && 'runId' in delivery.record);
    return delivery.record;
  };

  it('writes a line for each event that a webhook wants, in order, with what was so then', async () => {
    const { s, orgId, lines, lease } = await setUp();
    const run = await s.start({ orgId });
    const [a = '', b = ''] = await s.asks(run, 1, ['send', 'pay']);
    await s.pause(run, 1, 1, [a, b]);
    await s.vote(run, person('lea'), one(a, 'APPROVE', { reason: 'fine' }));
    await s.vote(run, person('bob'), one(b, 'REJECT'));
    await s.cancel(run);
    assert.deepEqual(
      (await lines()).map((line) => line.event),
      ['run.paused', 'approval.decided', 'approval.decided', 'run.settled'],
    );
    const [paused, first, second, settled] = (await lease()).toSorted(
      (x, y) => x.createdAt.getTime() - y.createdAt.getTime(),
    );
    assert.deepEqual(
      told(paused).pause?.calls.map((call) => call.callId),
      [a, b],
    );
    assert.equal(told(paused).pauseId, s.pauseId(run, 1, 1));
    assert.deepEqual(
      [told(first).decided?.decision.action, told(first).status],
      ['APPROVE', 'PAUSED'],
    );
    assert.deepEqual(told(first).decided?.decision.by, ['lea']);
    assert.deepEqual([told(second).decided?.callId, told(second).status], [b, 'RUNNING']);
    assert.equal(told(settled).status, 'CANCELLED');
    assert.equal(told(settled).input, undefined);
  });

  it('writes nothing for other events, other orgs, inactive webhooks; the conversation only where it was asked for', async () => {
    const { s, store, orgId, lines, lease } = await setUp({
      events: ['run.settled'],
      include: ['conversation'],
    });
    const [other, quiet] = [await setUp(), await setUp({ events: ['run.waiting'] })];
    await sql`update webhooks set active = false where webhook_id = ${quiet.webhookId}`.execute(
      bench().db.kysely,
    );
    const run = await s.start({ orgId, input: 'About zebras?' });
    await s.answers(run, 1, 'Striped.');
    assert.equal((await lines()).length, 1);
    assert.deepEqual([(await other.lines()).length, (await quiet.lines()).length], [0, 0]);
    const { input, content } = told((await lease())[0]);
    assert.deepEqual([input, content], ['About zebras?', 'Striped.']);
    const idle = await quiet.s.start({ orgId: quiet.orgId });
    const waiting = { what: 'MODEL', since: '2026-01-01T00:00:00Z' };
    await store.asWorker((tx) => addWaitingDeliveries(tx, idle.runId, waiting));
    assert.equal((await quiet.lines()).length, 0);
  });

  it('a change that is rolled back leaves no line, and one that is played twice leaves one', async () => {
    const { s, store, orgId, lines } = await setUp();
    const run = await s.start({ orgId });
    const failure = { code: 'INTERNAL', message: 'Broken.' } as const;
    const fail = () =>
      store.asWorker((tx) => settle(tx, run.runId, { kind: 'FAILED', failure }, 'test'));
    await assert.rejects(
      store.asWorker(async (tx) => {
        await settle(tx, run.runId, { kind: 'FAILED', failure }, 'test');
        throw new Error('lost');
      }),
    );
    assert.equal((await lines()).length, 0);
    await fail();
    await fail();
    const waiting = { what: 'MODEL', since: '2026-01-01T00:00:00Z' };
    for (const since of [waiting.since, waiting.since, '2026-01-01T00:01:00Z'])
      await store.asWorker((tx) => addWaitingDeliveries(tx, run.runId, { ...waiting, since }));
    assert.deepEqual(
      (await lines()).map((line) => line.event),
      ['run.settled', 'run.waiting', 'run.waiting'],
    );
  });

  it('an expiry is a decision that is announced', async () => {
    const { s, orgId, lines, lease } = await setUp({ events: ['approval.decided'] });
    const hasty = agent({ approvals: { expiresAfterMs: 1, quorum: 1, fourEyes: false } });
    const run = await s.start({ orgId, agent: hasty });
    const ids = await s.asks(run, 1, ['send']);
    await s.pause(run, 1, 1, ids);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await assert.rejects(s.vote(run, person('lea'), all('APPROVE')));
    assert.equal((await lines()).length, 1);
    assert.deepEqual(told((await lease())[0]).decided?.decision.by, ['expiry']);
  });

  it('a delivery is leased once, by one process, and again when the lease is over', async () => {
    const { s, orgId, lease, lines, hoursPass } = await setUp({ events: ['run.settled'] });
    await s.cancel(await s.start({ orgId }));
    const [first] = await lease();
    assert.ok(first);
    assert.deepEqual(await lease(), []);
    await hoursPass(1);
    const [again] = await lease();
    assert.deepEqual([again?.deliveryId, again?.attempt], [first.deliveryId, 2]);
    assert.equal((await lines())[0]?.attempts, 2);
  });

  it('what failed is due again after 5 s, doubling to two hours, and given up after 24 hours', async () => {
    const { s, orgId, webhookId, lease, lines, came, hoursPass } = await setUp();
    await s.cancel(await s.start({ orgId }));
    const waits: number[] = [];
    for (;;) {
      const [delivery] = await lease();
      assert.ok(delivery, 'due after its back-off');
      await came(delivery, 'FAILED');
      const [line] = await lines();
      if (line?.status === 'FAILED') break;
      assert.equal(line?.status, 'PENDING');
      assert.deepEqual(await lease(), [], 'not due before');
      const { rows } = await sql<{ s: number; left: number }>`
        select extract(epoch from next_at - clock_timestamp())::float8 as s, extract(epoch from give_up_at - next_at)::float8 as left
        from webhook_deliveries where webhook_id = ${webhookId}`.execute(bench().db.kysely);
      const { s: wait = 0, left = 0 } = rows[0] ?? {};
      if (left > 0) waits.push(Math.round(wait));
      await sql`update webhook_deliveries set give_up_at = give_up_at - (next_at - clock_timestamp()), next_at = clock_timestamp()
        where webhook_id = ${webhookId}`.execute(bench().db.kysely);
    }
    assert.deepEqual(waits.slice(0, 12), [
      ...[5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 7200],
    ]);
    assert.ok(waits.slice(12).every((wait) => wait === 7200));
    const total = waits.reduce((sum, wait) => sum + wait, 0);
    assert.ok(total > 22 * 3600 && total <= 24 * 3600, `${total} s`);
    await hoursPass(100);
    assert.deepEqual(await lease(), [], 'given up');
  });

  it('sent once more it goes at once, under its id, with its full time', async () => {
    const { s, store, orgId, webhookId, lease, lines, came, hoursPass } = await setUp();
    await s.cancel(await s.start({ orgId }));
    const [delivery] = await lease();
    assert.ok(delivery);
    const retry = () =>
      store.asOrg(orgId, (tx) => retryDelivery(tx, webhookId, delivery.deliveryId));
    assert.equal(await retry(), true);
    assert.deepEqual(await lease(), [], 'while it is under way it is not sent twice');
    await came(delivery, 'DELIVERED', 204);
    assert.deepEqual(await lease(), []);
    await hoursPass(48);
    await retry();
    const [again] = await lease();
    assert.equal(again?.deliveryId, delivery.deliveryId);
    assert.ok(again);
    await came(again, 'FAILED');
    assert.equal((await lines())[0]?.status, 'PENDING', 'not given up at its first failure');
  });

  it('a late failure of an overtaken attempt says nothing, a late success does', async () => {
    const { s, orgId, lease, lines, came, hoursPass } = await setUp();
    await s.cancel(await s.start({ orgId }));
    const [first] = await lease();
    await hoursPass(1);
    const [second] = await lease();
    assert.ok(first !== undefined && second !== undefined);
    await came(first, 'FAILED');
    assert.deepEqual(await lease(), [], 'the second is still under way');
    await came(second, 'FAILED');
    await came(first, 'DELIVERED', 200);
    assert.equal((await lines())[0]?.status, 'DELIVERED');
  });

  it('410 gives up all that waits for that receiver, and nothing more is written for it', async () => {
    const { s, store, orgId, webhookId, lease, lines, came } = await setUp();
    for (let n = 0; n < 3; n++) await s.cancel(await s.start({ orgId }));
    const [delivery] = await lease(1);
    assert.ok(delivery);
    await came(delivery, 'GONE', 410);
    assert.deepEqual([...new Set((await lines()).map((line) => line.status))], ['FAILED']);
    await s.cancel(await s.start({ orgId }));
    assert.equal((await lines()).length, 3);
    const webhook = await store.asOrg(orgId, (tx) => findWebhook(tx, orgId, webhookId));
    assert.equal(webhook?.active, false);
  });

  it('a backlog of one webhook leaves room for the line of another', async () => {
    const { s, orgId } = await setUp();
    for (let n = 0; n < 12; n++) await s.cancel(await s.start({ orgId }));
    const late = await setUp();
    await late.s.cancel(await late.s.start({ orgId: late.orgId }));
    assert.equal((await late.lease(10, 5)).length, 1);
  });

  it('approval.expiring comes once a pause, a tenth of its time before its end, with what is still open', async () => {
    const { s, store, orgId, lines, lease } = await setUp({ events: ['approval.expiring'] });
    const slow = agent({ approvals: { expiresAfterMs: 7_200_000, quorum: 1, fourEyes: false } });
    const run = await s.start({ orgId, agent: slow });
    const [a = '', b = ''] = await s.asks(run, 1, ['send', 'pay']);
    await s.pause(run, 1, 1, [a, b]);
    await s.vote(run, person('lea'), one(a, 'APPROVE'));
    const minutesPass = (minutes: number) =>
      sql`update calls set requested_at = requested_at - make_interval(mins => ${minutes}::int),
        expires_at = expires_at - make_interval(mins => ${minutes}::int) where run_id = ${run.runId}`.execute(
        bench().db.kysely,
      );
    const look = async () => {
      await store.asReconciler(announceExpiringPauses);
      return (await lines()).length;
    };
    await minutesPass(107);
    assert.equal(await look(), 0, 'more than a tenth is left');
    await minutesPass(2);
    assert.equal(await look(), 1);
    assert.equal(await look(), 1);
    assert.deepEqual(
      told((await lease())[0]).pause?.calls.map((call) => call.callId),
      [b],
    );
  });

  it('retention takes deliveries that are over, and none that waits', async () => {
    const { s, store, orgId, lease, lines, came, hoursPass } = await setUp();
    for (let n = 0; n < 2; n++) await s.cancel(await s.start({ orgId }));
    const [delivery] = await lease(1);
    assert.ok(delivery);
    await came(delivery, 'DELIVERED', 200);
    await hoursPass(49);
    while ((await deleteOldDeliveries(store, 2)) > 0);
    assert.deepEqual(
      (await lines()).map((line) => line.status),
      ['PENDING'],
    );
  });
}
