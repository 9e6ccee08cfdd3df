// How long a search takes in the database beside many passages: `npm run bench:knowledge`, on a
// PostgreSQL with pgvector of its own. PASSAGES (100000) and DIMS (384) change what is made. Words
// are drawn as in natural text, few of them often, most of them seldom, but for the most frequent
// ones, which full text leaves out. Vectors lie in clusters, as
// those of texts do. The passages are stored as the worker stores them; the index of vectors is made
// when all are there, which takes a fraction of the time.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { v7 } from 'uuid';
import { createStore } from '../src/store/database/access.ts';
import { openPostgres } from '../src/store/database/database.ts';
import { migrateToLatest } from '../src/store/database/migrate.ts';
import { createAnnouncer } from '../src/store/events/notifications.ts';
import { createBase } from '../src/store/knowledge/bases.ts';
import { giveDocument } from '../src/store/knowledge/documents.ts';
import { searchPassages } from '../src/store/knowledge/search.ts';
import * as takeIn from '../src/store/knowledge/take-in.ts';
import { pgvectorPrograms } from '../test/rig/pgvector.ts';
import { startPostgres } from '../test/rig/postgres.ts';

const PASSAGES = Number(process.env['PASSAGES'] ?? 100_000);
const DIMS = Number(process.env['DIMS'] ?? 384);
const OF_A_DOCUMENT = 1000;
const AT_ONCE = 200;
/** Half of the words of 300 tokens of text are such as are left out. */
const WORDS_OF_A_PASSAGE = 120;
const VOCABULARY = 30_000;
/** "the", "of", "and" and so on: as many as English leaves out. */
const LEFT_OUT = 127;
const QUESTIONS = 400;
const CLUSTERS = 500;
const BASES = 4;
const orgId = 'bench';

let state = 12_345;
const random = (): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};
/** The nth word about n times as seldom as the first. */
const word = (): string => `w${Math.floor(LEFT_OUT * (VOCABULARY / LEFT_OUT) ** random())}`;
const words = (count: number): string => Array.from({ length: count }, word).join(' ');
const point = (): number[] => Array.from({ length: DIMS }, () => random() - 0.5);
const centres = Array.from({ length: CLUSTERS }, point);
/** Near one of the centres, as far from it as passages of one subject are from each other. */
const vector = (): number[] => {
  const centre = centres[Math.floor(random() * CLUSTERS)] ?? [];
  return centre.map((x) => Math.round((x + 0.6 * (random() - 0.5)) * 1e4) / 1e4);
};

/** Of the connections of the pool: what a busy machine does to the other figures it does not to this. */
async function cpuMs(): Promise<number> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity where datname = current_database()`.execute(db.kysely);
  const ticks = rows.map(({ pid }) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return Number(stat[11]) + Number(stat[12]);
    } catch {
      return 0;
    }
  });
  return 10 * ticks.reduce((a, b) => a + b, 0);
}

const started = await startPostgres(pgvectorPrograms());
if (!started.ok) throw new Error(started.reason);
const { postgres } = started;
const db = await openPostgres(await postgres.createDatabase());
try {
  await migrateToLatest(db);
  const store = createStore(db, createAnnouncer(db));
  const bases = [];
  for (let i = 0; i < BASES; i++) {
    const base = {
      baseKey: v7(),
      orgId,
      baseId: `b${i}`,
      name: 'Base',
      description: null,
      createdBy: 'b',
    };
    const made = await store.asOrg(orgId, (tx) => createBase(tx, base));
    if (made !== undefined) bases.push(made);
  }
  const began = Date.now();
  for (let done = 0; done < PASSAGES; done += OF_A_DOCUMENT) {
    const base = bases[(done / OF_A_DOCUMENT) % BASES];
    if (base === undefined) throw new Error('no base');
    const documentId = `doc_${v7()}`;
    const content = {
      kind: 'FILE',
      mediaType: 'text/plain',
      fileName: '',
      hash: randomUUID(),
      packed: false,
      bytes: Buffer.from('x'),
    } as const;
    await store.asOrg(orgId, (tx) =>
      giveDocument(tx, {
        documentId,
        orgId,
        baseKey: base.baseKey,
        title: 'T',
        externalId: null,
        createdBy: 'b',
        content,
      }),
    );
    const doc = { documentId, orgId, baseKey: base.baseKey };
    for (let from = 0; from < OF_A_DOCUMENT; from += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, (_, i) => {
        const body = words(WORDS_OF_A_PASSAGE);
        return { n: from + i, headings: '', body, headingWords: '', bodyWords: body };
      });
      await store.asWorker((tx) => takeIn.keepPassages(tx, doc, 'english', some, 0));
      await store.asWorker((tx) =>
        sql`insert into knowledge_vectors (passage_id, org_id, base_key, document_id, model, dims, embedding)
          select id, ${orgId}, ${base.baseKey}, ${documentId}, 'm', ${DIMS}, v::vector
          from unnest(${some.map((p) => takeIn.passageIdOf(documentId, p.n))}::text[], ${some.map(() => JSON.stringify(vector()))}::text[]) t(id, v)`.execute(
          tx.db,
        ),
      );
    }
    await store.asWorker((tx) =>
      takeIn.noteSplit(tx, documentId, {
        title: null,
        language: 'english',
        passages: OF_A_DOCUMENT,
      }),
    );
    await store.asWorker((tx) => takeIn.publishDocument(tx, documentId));
    if ((done / OF_A_DOCUMENT) % 10 === 0)
      console.log(`${done + OF_A_DOCUMENT} passages, ${Math.round((Date.now() - began) / 1000)} s`);
  }
  const indexed = Date.now();
  const make = `set maintenance_work_mem = '1GB'; select holdpoint_index_vectors(${DIMS})`;
  await postgres.sql(make, db.url);
  console.log(`the index of vectors: ${Math.round((Date.now() - indexed) / 1000)} s`);
  await postgres.sql('vacuum analyze', db.url);
  console.log(
    '\n|  | p50 ms | p95 ms | slowest ms | CPU ms of the database, mean |\n| --- | --- | --- | --- | --- |',
  );
  for (const mode of ['text', 'hybrid'] as const) {
    const ms: number[] = [];
    const cpuBefore = await cpuMs();
    for (let i = 0; i < QUESTIONS; i++) {
      const question = {
        ...{ orgId, bases: [bases[i % BASES] ?? bases[0]].flatMap((b) => b ?? []), limit: 10 },
        words: [...new Set(words(4 + (i % 6)).split(' '))],
        vector: mode === 'hybrid' ? { model: 'm', values: vector() } : undefined,
      };
      const t = performance.now();
      await store.asOrg(orgId, (tx) => searchPassages(tx, question));
      if (i >= 20) ms.push(performance.now() - t);
    }
    ms.sort((a, b) => a - b);
    const at = (q: number): string => (ms[Math.floor(q * (ms.length - 1))] ?? 0).toFixed(1);
    console.log(
      `| ${mode}, ${PASSAGES} passages | ${at(0.5)} | ${at(0.95)} | ${at(1)} | ${((await cpuMs()) - cpuBefore) / QUESTIONS} |`,
    );
  }
} finally {
  await db.close();
  await postgres.stop();
}
