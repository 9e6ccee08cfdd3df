// How long a search takes in the database beside many passages: `npm run bench:knowledge`, on a
// PostgreSQL with pgvector of its own. PASSAGES (100000) and DIMS (384) change what is made. Words
// are drawn as in natural text: few of them often, most of them seldom.

import { randomUUID } from 'node:crypto';
import { v7 } from 'uuid';
import { createStore } from '../src/store/database/access.ts';
import { openPostgres } from '../src/store/database/database.ts';
import { migrateToLatest } from '../src/store/database/migrate.ts';
import { createAnnouncer } from '../src/store/events/notifications.ts';
import { createBase } from '../src/store/knowledge/bases.ts';
import { giveDocument } from '../src/store/knowledge/documents.ts';
import { searchPassages } from '../src/store/knowledge/search.ts';
import * as takeIn from '../src/store/knowledge/take-in.ts';
import { keepVectors } from '../src/store/knowledge/vectors.ts';
import { pgvectorPrograms } from '../test/rig/pgvector.ts';
import { startPostgres } from '../test/rig/postgres.ts';

const PASSAGES = Number(process.env['PASSAGES'] ?? 100_000);
const DIMS = Number(process.env['DIMS'] ?? 384);
const OF_A_DOCUMENT = 1000;
const AT_ONCE = 200;
const WORDS_OF_A_PASSAGE = 220;
const VOCABULARY = 30_000;
const QUESTIONS = 400;
const BASES = 4;
const orgId = 'bench';

let state = 12_345;
const random = (): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
};
/** The nth word about n times as seldom as the first. */
const word = (): string => `w${Math.floor(VOCABULARY ** random())}`;
const words = (count: number): string => Array.from({ length: count }, word).join(' ');
const vector = (): number[] =>
  Array.from({ length: DIMS }, () => Math.round((random() - 0.5) * 1e4) / 1e4);

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
        keepVectors(
          tx,
          'm',
          some.map((p) => ({ passageId: takeIn.passageIdOf(documentId, p.n), values: vector() })),
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
  await postgres.sql('vacuum analyze', db.url);
  for (const mode of ['text', 'hybrid'] as const) {
    const ms: number[] = [];
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
      `${mode}: ${PASSAGES} passages, median ${at(0.5)} ms, 95 % ${at(0.95)} ms, slowest ${at(1)} ms`,
    );
  }
} finally {
  await db.close();
  await postgres.stop();
}
