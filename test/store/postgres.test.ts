import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { sql } from 'kysely';
import { freePort } from '../rig/free-port.ts';
import { settle } from '../../src/store/runs/settle.ts';
import { openWhenThere } from '../../src/store/database/open-store.ts';
import { leaseOutboxLines } from '../../src/store/outbox.ts';
import { all, agent, drive, one, onPostgres, openBench, person } from './fixture.ts';
import { describeStore } from './contract.ts';

describe('the store on PostgreSQL', () => {
  const on = onPostgres();
  describeStore(() => on.bench);

  describe('races', () => {
    const outcome = (promise: Promise<unknown>) =>
      promise.then(
        () => 'won',
        (e: unknown) => (e as { code?: string }).code ?? String(e),
      );

    it('ten approves and ten rejects at once: one decision counts', async () => {
      const s = drive(on.bench.store);
      for (let round = 0; round < 5; round++) {
        const run = await s.start();
        const [id = ''] = await s.asks(run, 1, ['send']);
        await s.pause(run, 1, 1, [id]);
        const got = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            outcome(s.vote(run, person(`p${i}`), one(id, i % 2 ? 'APPROVE' : 'REJECT'))),
          ),
        );
        assert.equal(got.filter((g) => g === 'won').length, 1);
        assert.ok(
          got.every((g) => g === 'won' || g === 'ALREADY_DECIDED'),
          got.join(),
        );
      }
    });

    it('two voters of a quorum at the same instant both count', async () => {
      const s = drive(on.bench.store);
      const two = agent({ approvals: { expiresAfterMs: null, quorum: 2, fourEyes: false } });
      for (let round = 0; round < 20; round++) {
        const run = await s.start({ agent: two });
        const [id = ''] = await s.asks(run, 1, ['send']);
        await s.pause(run, 1, 1, [id]);
        await Promise.all([
          s.vote(run, person('lea'), one(id, 'APPROVE')),
          s.vote(run, person('max'), one(id, 'APPROVE')),
        ]);
        assert.equal((await s.read(run)).status, 'RUNNING');
      }
    });

    it('a decision and a cancel: one order, and no claim after a cancel', async () => {
      const s = drive(on.bench.store);
      for (let round = 0; round < 20; round++) {
        const run = await s.start();
        const [id = ''] = await s.asks(run, 1, ['send']);
        await s.pause(run, 1, 1, [id]);
        await Promise.all([outcome(s.vote(run, person('lea'), all('APPROVE'))), s.cancel(run)]);
        assert.equal((await s.read(run)).status, 'CANCELLED');
        assert.equal((await s.claim(run, id)).kind, 'ENDED');
      }
    });

    it('parallel runs of one new session take their places one after the other', async () => {
      const s = drive(on.bench.store);
      const first = await s.start();
      const same = { sessionId: first.sessionId, agent: first.agent };
      await Promise.all(Array.from({ length: 10 }, () => s.start(same)));
      const { rows } = await on.bench.db.kysely.executeQuery<{ session_seq: number }>({
        sql: 'select session_seq from runs where session_id = $1 order by session_seq',
        parameters: [first.sessionId],
      } as never);
      assert.deepEqual(
        rows.map((r) => r.session_seq),
        Array.from({ length: 11 }, (_, i) => i + 1),
      );
    });

    it('a line of the outbox is leased to one process only', async () => {
      const s = drive(on.bench.store);
      const runs = await Promise.all(Array.from({ length: 20 }, () => s.start()));
      const taken = await Promise.all(
        Array.from({ length: 8 }, () =>
          on.bench.store.asReconciler((tx) => leaseOutboxLines(tx, null, 100, randomUUID())),
        ),
      );
      const ids = taken
        .flat()
        .filter((l) => runs.some((r) => r.runId === l.runId))
        .map((l) => l.id);
      assert.equal(new Set(ids).size, ids.length);
    });

    it('a waiter in another process learns of the end within the time a notification takes', async () => {
      const other = await openBench(on.bench.db.url);
      try {
        const run = await drive(on.bench.store).start();
        const watch = other.store.announcer.watch(run.runId);
        await new Promise((resolve) => setTimeout(resolve, 300)); // its LISTEN stands
        const heard = watch.changed().then(() => Date.now());
        const at = Date.now();
        await on.bench.store.asWorker((tx) =>
          settle(
            tx,
            run.runId,
            { kind: 'FAILED', failure: { code: 'INTERNAL', message: 'x' } },
            'test',
          ),
        );
        assert.ok((await heard) - at < 1500, 'sooner than the query that makes up for lost ones');
        watch.close();
      } finally {
        await other.close();
      }
    });
  });

  it('a statement that was prepared before a migration is prepared anew after it', async () => {
    const { kysely } = on.bench.db;
    const read = (): Promise<readonly unknown[]> =>
      on.bench.store.asWorker(
        async (tx) => (await sql`select * from migrated where a = ${1}`.execute(tx.db)).rows,
      );
    await sql`create table migrated as select 1 as a`.execute(kysely);
    await sql`grant select on migrated to holdpoint_service`.execute(kysely);
    for (let i = 0; i < 10; i++) assert.deepEqual(await read(), [{ a: 1 }]);
    await sql`alter table migrated add column b int default 2`.execute(kysely);
    for (let i = 0; i < 10; i++) assert.deepEqual(await read(), [{ a: 1, b: 2 }]);
  });

  describe('a process that starts before its database', () => {
    const quiet = { warn: () => undefined };
    it('waits for it and opens when it is there', async () => {
      const url = new URL(await on.postgres.createDatabase());
      const { hostname, port } = url;
      const free = await freePort();
      url.host = `127.0.0.1:${free}`;
      const opening = openWhenThere(
        { databaseUrl: url.href, migrateAtStart: true },
        quiet,
        new AbortController().signal,
      );
      let open = false;
      void opening.then(() => (open = true));
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(open, false);
      const proxy = createServer((client) => {
        const server = connect(Number(port), hostname);
        client.pipe(server).pipe(client);
        for (const socket of [client, server]) socket.on('error', () => undefined);
      }).listen(free, '127.0.0.1');
      const opened = await opening;
      assert.ok(opened);
      await opened.store.ping();
      await opened.close();
      proxy.close();
    });

    it('ends its wait when it is asked to stop, and does not wait where its settings are wrong', async () => {
      const stopping = new AbortController();
      const nobody = `postgres://nobody@127.0.0.1:${await freePort()}/none`;
      const opening = openWhenThere(
        { databaseUrl: nobody, migrateAtStart: true },
        quiet,
        stopping.signal,
      );
      stopping.abort();
      await assert.rejects(opening, (error) => error === stopping.signal.reason);
      const wrong = new URL(on.bench.db.url ?? '');
      wrong.pathname = '/no_such_database';
      await assert.rejects(
        openWhenThere(
          { databaseUrl: wrong.href, migrateAtStart: true },
          quiet,
          new AbortController().signal,
        ),
        /no_such_database/,
      );
    });
  });
});
