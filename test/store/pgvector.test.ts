// The store on PostgreSQL with pgvector: searches by meaning through an index that all orgs share.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql, type QueryExecutorProvider } from 'kysely';
import { passageIdOf } from '../../src/store/knowledge/take-in.ts';
import { keepVectors, nearestPassages, vectorsThere } from '../../src/store/knowledge/vectors.ts';
import { pgvectorProgramsOrSkip } from '../rig/pgvector.ts';
import { startPostgres, type PostgresRig } from '../rig/postgres.ts';
import { skipBecause } from '../rig/skip.ts';
import { openBench, type Bench } from './fixture.ts';
import { describeKnowledge, knowing } from './knowledge-contract.ts';

describe('the store on PostgreSQL with pgvector', function () {
  this.timeout(180_000);
  let postgres: PostgresRig | undefined;
  let bench: Bench;
  before(async function () {
    // Its programs are installed once.
    this.timeout(300_000);
    const programs = pgvectorProgramsOrSkip(this);
    const result = await startPostgres(programs);
    if (!result.ok) return skipBecause(this, result.reason);
    postgres = result.postgres;
    bench = await openBench(await postgres.createDatabase());
  });
  after(async () => {
    await bench?.close();
    await postgres?.stop();
  });
  describeKnowledge(() => bench);

  it('the table of vectors is there, under row-level security like every other', async () => {
    assert.equal(await bench.store.asWorker(vectorsThere), true);
  });

  it('a search of one small base among many goes through the index and loses nothing', async () => {
    const DIMS = 32;
    const near = (i: number): number[] =>
      Array.from({ length: DIMS }, (_, d) => (d === 0 ? 1 : Math.sin(i * 7.3 + d * 1.7) * 0.2));
    // A crowd of another org stands nearer to the question than anything of ours.
    const crowd = knowing(bench.store, `org-${randomUUID()}`);
    const theirs = await crowd.base();
    const many = await crowd.give(theirs, 'Crowd', randomUUID());
    const N = 2000;
    await crowd.split(
      many,
      Array.from({ length: N }, (_, i) => `Passage ${i}.`),
    );
    await crowd.publish(many);
    for (let from = 0; from < N; from += 100)
      await bench.store.asWorker((tx) =>
        keepVectors(
          tx,
          'm',
          Array.from({ length: 100 }, (_, i) => ({
            passageId: passageIdOf(many, from + i),
            values: near(from + i),
          })),
        ),
      );
    const ours = knowing(bench.store, `org-${randomUUID()}`);
    const base = await ours.base();
    const mine: string[] = [];
    for (let i = 0; i < 12; i++) {
      const id = await ours.learn(base, `Ours ${i}`, `Of ours ${i}.`);
      mine.push(passageIdOf(id, 0));
    }
    await bench.store.asWorker((tx) =>
      keepVectors(
        tx,
        'm',
        mine.map((passageId, i) => ({
          passageId,
          values: Array.from({ length: DIMS }, (_, d) => (d === 1 ? 1 : 0.01 * i)),
        })),
      ),
    );
    await sql`analyze`.execute(bench.db.kysely);
    const question = { model: 'm', values: near(1) };
    const found = await ours.asOrg((tx) =>
      nearestPassages(tx, ours.orgId, [base.baseKey], question, 10),
    );
    assert.equal(found.length, 10);
    assert.ok(found.every((id) => mine.includes(id)));
    // As the caller's org asks: a policy must not keep the planner from the index.
    const { rows } = await crowd.asOrg(({ db }) =>
      sql<Record<string, string>>`
        explain select v.passage_id from knowledge_vectors v where v.dims = 32 and v.model = 'm' and v.base_key = ${theirs.baseKey}
        order by v.embedding::vector(32) <=> ${JSON.stringify(question.values)}::vector(32) limit 10`.execute(
        db,
      ),
    );
    assert.match(JSON.stringify(rows), /knowledge_vectors_32/);
  });

  it('words are looked up in their index by an owner who is bound by row-level security', async () => {
    const server = postgres ?? assert.fail();
    const name = `owner_${randomUUID().slice(0, 8)}`;
    await server.sql(`create role ${name} login createrole`);
    // The role is the server's: the database before has made it.
    await server.sql(`grant holdpoint_service to ${name}`);
    await server.sql(`create database ${name} owner ${name}`);
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    // Not every build of it lets an owner do that.
    await server.sql('create extension vector', url.href);
    url.username = name;
    const owned = await openBench(url.href);
    try {
      assert.equal(await owned.store.asWorker(vectorsThere), true, 'an owner may have vectors');
      const s = knowing(owned.store, `org-${randomUUID()}`);
      const base = await s.base();
      const id = await s.give(base, 'Many', randomUUID());
      await s.split(
        id,
        Array.from({ length: 1500 }, (_, i) => `Passage ${i} about rivers.`),
      );
      await s.publish(id);
      await sql`analyze`.execute(owned.db.kysely);
      // As the function asks, for whom the policy says true; and as the service would have to.
      const words = sql`${`'base:${base.baseKey}' & '17'`}::tsquery`;
      const explain = async (db: QueryExecutorProvider): Promise<string> => {
        // Of so few passages a planner would read all: what it may do is asked, not what is cheaper.
        await sql`set local enable_seqscan = off`.execute(db);
        const { rows } =
          await sql`explain select passage_id from knowledge_passages where words @@ ${words}`.execute(
            db,
          );
        return JSON.stringify(rows);
      };
      const asOwner = await owned.db.kysely.transaction().execute(explain);
      assert.match(asOwner, /knowledge_passages_by_words/);
      const asService = await s.asOrg((tx) => explain(tx.db));
      assert.doesNotMatch(asService, /knowledge_passages_by_words/);
      assert.equal((await s.find(base, 'passage 17'))[0]?.text, 'Passage 17 about rivers.');
      const other = knowing(owned.store, 'org-other');
      assert.deepEqual(await s.find(base, 'passage 17', other.asOrg), []);
    } finally {
      await owned.close();
    }
  });
});
