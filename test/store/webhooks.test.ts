import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { createWebhook } from '../../src/store/webhooks/webhooks.ts';
import { until } from '../rig/wait.ts';
import { drive, onPostgres, openBench, type Bench } from './fixture.ts';
import { describeWebhooks } from './webhooks-contract.ts';
import { newWebhook } from './webhooks-fixture.ts';

describe('webhooks in PGlite', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());
  describeWebhooks(() => bench);
});

describe('webhooks in PostgreSQL', () => {
  const on = onPostgres();
  describeWebhooks(() => on.bench);

  it('a webhook that is deleted while a run of its org settles neither fails the run nor leaves a line', async () => {
    const { store, db } = on.bench;
    const orgId = `org-${randomUUID()}`;
    const webhook = newWebhook(orgId);
    await store.asOrg(orgId, (tx) => createWebhook(tx, webhook));
    const s = drive(store);
    const run = await s.start({ orgId });
    const settling = await db.kysely.transaction().execute(async (tx) => {
      await sql`delete from webhooks where webhook_id = ${webhook.webhookId}`.execute(tx);
      const cancelled = s.cancel(run);
      cancelled.catch(() => undefined);
      await until('the settling transaction waits for the deletion', async () => {
        const { rows } = await sql`
          select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
          on.bench.db.kysely,
        );
        return rows.length > 0;
      });
      return { cancelled };
    });
    await settling.cancelled;
    assert.equal((await s.read(run)).status, 'CANCELLED');
    const { rows } =
      await sql`select 1 from webhook_deliveries where webhook_id = ${webhook.webhookId}`.execute(
        db.kysely,
      );
    assert.equal(rows.length, 0);
  });
});
