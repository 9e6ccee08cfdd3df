// The second wall on both databases: every table that holds an org, asked bare, with no `where
// org_id` to help.

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import { openPostgres } from '../../src/store/database/database.ts';
import { migrateToLatest } from '../../src/store/database/migrate.ts';
import { openStore } from '../../src/store/database/open-store.ts';
import { rowLevelSecurityProblem } from '../../src/store/database/row-level-security.ts';
import { createGrant, newGrantId } from '../../src/store/grants/grants.ts';
import { createWebhook } from '../../src/store/webhooks/webhooks.ts';
import { passageIdOf } from '../../src/store/knowledge/take-in.ts';
import { keepVectors, vectorsThere } from '../../src/store/knowledge/vectors.ts';
import { knowing } from './knowledge-contract.ts';
import { newWebhook } from './webhooks-fixture.ts';
import { agent, drive, one, onPostgres, openBench, person, type Bench } from './fixture.ts';

/** Every table of the schema that holds an org, whoever made it. */
async function orgTables({ db }: Bench): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and a.attname = 'org_id' and n.nspname = current_schema() order by 1`.execute(
    db.kysely,
  );
  return rows.map((row) => row.name);
}

/** A run with a row in nearly every table. */
async function fill({ store, db }: Bench, orgId: string): Promise<string> {
  const s = drive(store);
  await store.asOrg(orgId, (tx) => createWebhook(tx, newWebhook(orgId)));
  const key = {
    orgId,
    caller: 'ada',
    route: 'run',
    agentId: 'agent',
    target: '',
    key: randomUUID(),
    bodyHash: 'h',
  } as const;
  const run = await s.start({ orgId, key });
  const [id = ''] = await s.asks(run, 1, ['send']);
  await s.pause(run, 1, 1, [id]);
  await s.vote(run, person('lea'), one(id, 'APPROVE'));
  const known = knowing(store, orgId);
  const base = await known.base();
  const learnt = await known.learn(base, 'Learnt', 'A word.');
  await known.give(base, 'Given', 'Another word.');
  if (await known.asOrg(vectorsThere))
    await store.asWorker((tx) =>
      keepVectors(tx, 'm', [{ passageId: passageIdOf(learnt, 0), values: [1, 2] }]),
    );
  await known.remember('Likes tea.');
  await giveGrant({ store, db }, orgId, id);
  await sql`insert into withdrawals (withdrawal_id, run_id, org_id, turn, person)
    values (${randomUUID()}, ${run.runId}, ${orgId}, 1, 'ada')`.execute(db.kysely);
  await sql`insert into effects (org_id, key_hash, key, call_id, run_id)
    values (${orgId}, 'h', 'k', ${id}, ${run.runId})`.execute(db.kysely);
  await sql`insert into request_counts (org_id, who, minute, process, used)
    values (${orgId}, '', 1, ${randomUUID()}, 1)`.execute(db.kysely);
  await sql`insert into deltas (run_id, org_id, seq, chunk_offset, kind, text) values (${run.runId}, ${orgId}, 1, 0, 'CONTENT', 'x')`.execute(
    db.kysely,
  );
  return run.runId;
}

async function giveGrant(
  { store, db }: Pick<Bench, 'store' | 'db'>,
  orgId: string,
  callId: string,
): Promise<void> {
  const grantId = newGrantId();
  const grant = {
    ...{ grantId, orgId, agentId: 'agent', tool: 'send', definition: 'd', when: 'true' },
    ...{ maxUses: 1, expiresAt: new Date(Date.now() + 60_000), reason: 'r', quorum: 1 },
  };
  await store.asOrg(orgId, (tx) =>
    createGrant(tx, grant, { person: 'lea', roles: [], service: false }),
  );
  await sql`insert into grant_uses (call_id, grant_id, org_id, amount)
    values (${callId}, ${grantId}, ${orgId}, 0)`.execute(db.kysely);
}

const refusedByWall = (error: unknown): boolean => (error as { code?: string }).code === '42501';

function describeWall(bench: () => Bench): void {
  it('a bare read of any table inside another org shows none of its rows, and inside its own all of them', async () => {
    const [mine, theirs] = [`org-${randomUUID()}`, `org-${randomUUID()}`];
    await fill(bench(), mine);
    const tables = await orgTables(bench());
    assert.ok(tables.length >= 13, tables.join());
    for (const table of tables) {
      const count = (org: string): Promise<number> =>
        bench().store.asOrg(org, async ({ db: tx }) => {
          const { rows } = await sql<{
            org_id: string;
          }>`select org_id from ${sql.table(table)}`.execute(tx);
          assert.deepEqual(
            [...new Set(rows.map((row) => row.org_id))].filter((o) => o !== org),
            [],
            `foreign rows of ${table}`,
          );
          return rows.length;
        });
      assert.equal(await count(theirs), 0, table);
      const filled = await sql<{
        n: number;
      }>`select count(*) n from ${sql.table(table)} where org_id = ${mine}`.execute(
        bench().db.kysely,
      );
      assert.equal(await count(mine), filled.rows[0]?.n, table);
      if (!['media', 'run_media', 'call_media'].includes(table))
        assert.ok((filled.rows[0]?.n ?? 0) > 0, `the test has a row in ${table}`);
    }
  });

  it('nothing of another org can be changed, deleted or added', async () => {
    const [mine, theirs] = [`org-${randomUUID()}`, `org-${randomUUID()}`];
    const runId = await fill(bench(), mine);
    const { store } = bench();
    const changed = await store.asOrg(theirs, ({ db: tx }) =>
      sql`update runs set input = 'x' where run_id = ${runId}`.execute(tx),
    );
    const deleted = await store.asOrg(theirs, ({ db: tx }) => sql`delete from events`.execute(tx));
    assert.deepEqual([changed.numAffectedRows, deleted.numAffectedRows], [0n, 0n]);
    await assert.rejects(
      store.asOrg(theirs, ({ db: tx }) =>
        sql`insert into audit (org_id, actor, action, data) values (${mine}, 'x', 'y', '{}')`.execute(
          tx,
        ),
      ),
      refusedByWall,
    );
    await assert.rejects(
      store.asOrg(mine, ({ db: tx }) => sql`update audit set actor = 'x'`.execute(tx)),
      refusedByWall,
    );
  });

  it('who names no org reads nothing, and the reconciler state is no tenant’s', async () => {
    await fill(bench(), `org-${randomUUID()}`);
    const { rows } = await bench().store.asOrg('', ({ db: tx }) =>
      sql`select run_id from runs`.execute(tx),
    );
    assert.equal(rows.length, 0);
    await bench().store.asReconciler(({ db: tx }) =>
      sql`insert into reconciler_state values ('t', now()) on conflict do nothing`.execute(tx),
    );
    const seen = await bench().store.asOrg('acme', ({ db: tx }) =>
      sql`select name from reconciler_state`.execute(tx),
    );
    assert.equal(seen.rows.length, 0);
  });

  it('the snapshot of an agent that is kept from an org is not read there', async () => {
    const [mine, theirs] = [`org-${randomUUID()}`, `org-${randomUUID()}`];
    const kept = agent({ orgs: [mine] });
    await drive(bench().store).start({ orgId: mine, agent: kept });
    const read = (org: string): Promise<number> =>
      bench().store.asOrg(
        org,
        async ({ db: tx }) =>
          (await sql`select 1 from agent_snapshots where revision = ${kept.revision}`.execute(tx))
            .rows.length,
      );
    assert.deepEqual([await read(mine), await read(theirs)], [1, 0]);
  });

  it('the worker and the reconciler reach every org', async () => {
    const orgs = [`org-${randomUUID()}`, `org-${randomUUID()}`];
    for (const org of orgs) await fill(bench(), org);
    for (const as of [bench().store.asWorker, bench().store.asReconciler]) {
      const { rows } = await as(({ db: tx }) =>
        sql`select distinct org_id from runs where org_id = any(${orgs})`.execute(tx),
      );
      assert.equal(rows.length, 2);
    }
  });

  it('the check at start finds a table whose row-level security was taken off', async () => {
    assert.equal(await rowLevelSecurityProblem(bench().db), undefined);
    await sql`alter table votes no force row level security`.execute(bench().db.kysely);
    assert.match(
      (await rowLevelSecurityProblem(bench().db)) ?? '',
      /not enabled and forced on votes/,
    );
    await sql`alter table votes force row level security`.execute(bench().db.kysely);
  });
}

describe('tenants in PGlite', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());
  describeWall(() => bench);
});

describe('tenants in PostgreSQL', () => {
  const on = onPostgres();
  describeWall(() => on.bench);

  /** A database and a login that owns it (or does not), as deployments have them. */
  async function deployment(
    attributes: string,
    owns: boolean,
  ): Promise<{ readonly url: string; readonly owner: string; readonly name: string }> {
    const owner = await on.postgres.createDatabase();
    const name = `login_${randomBytes(4).toString('hex')}`;
    await on.postgres.sql(`create role ${name} login ${attributes}`);
    const url = new URL(owner);
    if (owns) await on.postgres.sql(`alter database ${url.pathname.slice(1)} owner to ${name}`);
    url.username = name;
    return { url: url.href, owner, name };
  }

  it('a login that owns its database and may create roles starts by itself, and is bound by row-level security as the tables’ owner too', async () => {
    const { url } = await deployment('createrole createdb', true);
    const { store, close } = await openStore({
      databaseUrl: url,
      migrateAtStart: true,
      dir: '',
    });
    await drive(store).start();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    assert.equal((await client.query('select 1 from runs')).rows.length, 0);
    await client.end();
    await close();
  });

  it('a login that owns nothing works after npm run migrate and a grant, and gets to the letter what lacks before', async () => {
    const { url, owner, name } = await deployment('', false);
    const open = (): ReturnType<typeof openStore> =>
      openStore({ databaseUrl: url, migrateAtStart: false, dir: '' });
    const admin = await openPostgres(owner);
    await migrateToLatest(admin);
    await admin.close();
    await assert.rejects(open(), new RegExp(`grant holdpoint_service to "${name}";`));
    await on.postgres.sql(`grant holdpoint_service to "${name}"`);
    const { store, close } = await open();
    const run = await drive(store).start();
    assert.equal((await drive(store).read(run)).status, 'QUEUED');
    await close();
  });

  it('a login that may neither create nor become the role gets what to do', async () => {
    const { url } = await deployment('', true);
    await assert.rejects(
      openStore({ databaseUrl: url, migrateAtStart: true, dir: '' }),
      /grant holdpoint_service to .*MIGRATION_DATABASE_URL/,
    );
  });

  it('a role that goes round row-level security is refused at start', async () => {
    await on.postgres.sql('alter role holdpoint_service bypassrls');
    try {
      assert.match((await rowLevelSecurityProblem(on.bench.db)) ?? '', /BYPASSRLS/);
    } finally {
      await on.postgres.sql('alter role holdpoint_service nobypassrls');
    }
  });
});
