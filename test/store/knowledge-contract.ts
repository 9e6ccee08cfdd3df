// Knowledge and memory, on every database: each transaction played twice, nothing across orgs and
// users, nothing left of what was deleted.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { v7 } from 'uuid';
import { sha256Hex } from '../../src/json/canonical.ts';
import { distinctWords, wordsOf } from '../../src/knowledge/words.ts';
import type { Store, Work } from '../../src/store/database/access.ts';
import * as bases from '../../src/store/knowledge/bases.ts';
import * as documents from '../../src/store/knowledge/documents.ts';
import { searchPassages } from '../../src/store/knowledge/search.ts';
import * as takeIn from '../../src/store/knowledge/take-in.ts';
import * as upkeep from '../../src/store/knowledge/upkeep.ts';
import * as vectors from '../../src/store/knowledge/vectors.ts';
import * as memories from '../../src/store/memories/memories.ts';
import type { Bench } from './fixture.ts';

/** The same transaction again must give the same answer. */
export async function twice<T>(as: (work: Work<T>) => Promise<T>, work: Work<T>): Promise<T> {
  const first = await as(work);
  assert.deepEqual(await as(work), first);
  return first;
}

const PASSAGES_AT_ONCE = 100;

const file = (text: string): documents.DocumentContent => ({
  ...{ kind: 'FILE', mediaType: 'text/plain', fileName: 'a.txt', hash: text },
  ...{ packed: false, bytes: Buffer.from(text) },
});

/** The steps of knowledge as routes and workers take them. */
export function knowing(store: Store, orgId: string) {
  const asOrg = <T>(work: Work<T>): Promise<T> => store.asOrg(orgId, work);
  const base = async (baseId = `b-${randomUUID()}`): Promise<bases.BaseRecord> => {
    const made = {
      baseKey: v7(),
      orgId,
      baseId,
      name: 'Base',
      description: null,
      createdBy: 'ada',
    };
    const found: bases.BaseRecord | undefined = await twice(asOrg, (tx) =>
      bases.createBase(tx, made),
    );
    return found ?? assert.fail('taken');
  };
  const give = async (of: bases.BaseRecord, title: string, text: string, externalId?: string) => {
    const doc = {
      ...{ documentId: `doc_${v7()}`, orgId, baseKey: of.baseKey, title, createdBy: 'ada' },
      ...{ externalId: externalId ?? null, content: file(text) },
    };
    const given = await asOrg((tx) => documents.giveDocument(tx, doc));
    return given?.document.documentId ?? assert.fail('no base');
  };
  const keepAll = async (documentId: string, parts: readonly string[], language = 'english') => {
    const doc =
      (await store.asWorker((tx) => takeIn.readToTakeIn(tx, documentId, { withFile: true }))) ??
      assert.fail('gone');
    const passages = parts.map((body, n) => ({
      ...{ n, headings: 'Top\nBelow', body, headingWords: wordsOf(doc.title).join(' ') },
      bodyWords: wordsOf(body).join(' '),
    }));
    // A few at a time, as the worker stores them.
    for (let from = 0; from < passages.length; from += PASSAGES_AT_ONCE) {
      const some = passages.slice(from, from + PASSAGES_AT_ONCE);
      const keep: Work<boolean> = (tx) => takeIn.keepPassages(tx, doc, language, some, 0.5);
      await (from === 0 ? twice(store.asWorker, keep) : store.asWorker(keep));
    }
    const split = { title: null, language, passages: parts.length };
    await twice(store.asWorker, (tx) => takeIn.noteSplit(tx, documentId, split));
  };
  const publish = (documentId: string) =>
    store.asWorker((tx) => takeIn.publishDocument(tx, documentId));
  const learn = async (of: bases.BaseRecord, title: string, text: string, externalId?: string) => {
    const documentId = await give(of, title, text, externalId);
    await keepAll(documentId, [text]);
    await publish(documentId);
    return documentId;
  };
  const find = (of: bases.BaseRecord, question: string, as = asOrg) =>
    as((tx) =>
      searchPassages(tx, { orgId, bases: [of], words: distinctWords(question), limit: 10 }),
    );
  const purge = async (documentId: string) => {
    while (!(await store.asReconciler((tx) => upkeep.purgeDocument(tx, documentId))));
  };
  const remember = (content: string, userId = 'ada', memoryId = `mem_${v7()}`) =>
    asOrg((tx) => memories.keepMemory(tx, { memoryId, orgId, userId, content, createdBy: userId }));
  return { orgId, asOrg, base, give, split: keepAll, publish, learn, find, purge, remember };
}

export function describeKnowledge(bench: () => Bench): void {
  const k = (orgId = `org-${randomUUID()}`) => knowing(bench().store, orgId);

  it('a document is found whole once it is published, and before not at all', async () => {
    const s = k();
    const base = await s.base();
    const id = await s.give(base, 'Parking', 'x');
    await s.split(id, ['Visitors park on level two.', 'The barrier opens with the badge.']);
    assert.deepEqual(await s.find(base, 'visitors'), []);
    await s.publish(id);
    assert.equal((await s.find(base, 'where do visitors park'))[0]?.documentId, id);
    assert.equal((await s.find(base, 'barrier')).length, 1);
    assert.equal(
      (await s.asOrg((tx) => documents.findDocument(tx, base.baseKey, id)))?.status,
      'READY',
    );
  });

  it('a question is answered by the passage with its rare words, stemmed by the language', async () => {
    const s = k();
    const base = await s.base();
    for (let i = 0; i < 30; i++)
      await s.learn(base, `Note ${i}`, `The office has a rule about the building, number ${i}.`);
    const id = await s.learn(base, 'Pets', 'Dogs are allowed in the building on Fridays.');
    assert.equal((await s.find(base, 'is a dog allowed in the building?'))[0]?.documentId, id);
  });

  it('a search with the filter of the org stripped finds nothing of another org', async () => {
    const [mine, theirs] = [k('org-mine'), k('org-theirs')];
    const base = await mine.base();
    await mine.learn(base, 'Ours', 'The plan is called marigold.');
    assert.equal((await mine.find(base, 'marigold')).length, 1);
    // The search names our org and our base; who asks is another org.
    assert.deepEqual(await mine.find(base, 'marigold', theirs.asOrg), []);
    const { rows } = await theirs.asOrg(
      async (tx) =>
        await sql`select 1 from knowledge_passages where body like '%marigold%'`.execute(tx.db),
    );
    assert.equal(rows.length, 0);
  });

  it('what reads the index of words as the owner gives nothing of another org, and no decoy', async () => {
    const [mine, theirs] = [k(), k()];
    const base = await mine.base();
    const id = await mine.learn(base, 'Ours', 'The plan is called celandine.');
    const ofBase = `'base:${base.baseKey}'`;
    const found = ({ asOrg }: typeof mine) =>
      asOrg(async ({ db }) => {
        const n = async (query: ReturnType<typeof sql<{ n: number }>>) =>
          Number((await query.execute(db)).rows[0]?.n);
        return [
          await n(
            sql`select count(*) as n from holdpoint_find_words(array[${base.baseKey}], ${"'plan' | 'celandin'"}::tsquery, 10)`,
          ),
          await n(
            sql`select passages as n from holdpoint_count_words(array[${base.baseKey}], array['plan'], 10)`,
          ),
          // As a release before asks, which may run beside this one.
          await n(sql`select count(*) as n from holdpoint_find_words(${ofBase}::tsquery, 10)`),
          await n(
            sql`select passages as n from holdpoint_count_words(${ofBase}::tsquery, array['plan'], 10)`,
          ),
        ];
      });
    assert.deepEqual(await found(mine), [1, 1, 1, 1]);
    assert.deepEqual(await found(theirs), [0, 0, 0, 0]);
    const decoyed = await mine.asOrg(async ({ db }) => {
      await sql`create temporary table knowledge_passages on commit drop as
        select 'decoy' as passage_id, ${mine.orgId}::text as org_id, ${`${ofBase} 'plan'`}::text::tsvector as words`.execute(
        db,
      );
      const { rows } = await sql<{
        passage_id: string;
      }>`select passage_id from holdpoint_find_words(array[${base.baseKey}], 'plan', 10)`.execute(
        db,
      );
      return rows.map((row) => row.passage_id);
    });
    assert.deepEqual(decoyed, [takeIn.passageIdOf(id, 0)]);
    const { rows } = await sql<{ name: string; path: string | null }>`
      select proname as name, (select c from unnest(proconfig) c where c like 'search_path=%') as path
      from pg_proc where prosecdef and pronamespace = current_schema()::regnamespace`.execute(
      bench().db.kysely,
    );
    assert.ok(rows.length >= 4);
    for (const { name, path } of rows) {
      assert.match(path ?? '', /^search_path=\w+(, \w+)?, pg_temp$/, name);
      assert.doesNotMatch(path ?? '', /user/, name);
    }
  });

  it('the same content is not taken in twice; of several under one external id the last given stands', async () => {
    const s = k();
    const base = await s.base();
    const first = await s.learn(base, 'A', 'same text');
    assert.equal(await s.give(base, 'B', 'same text'), first);
    const one = await s.give(base, 'V1', 'version one', 'x');
    const two = await s.give(base, 'V2', 'version two', 'x');
    await s.split(one, ['version one']);
    await s.split(two, ['version two']);
    await s.publish(two);
    await s.publish(one);
    assert.equal((await s.find(base, 'version'))[0]?.documentId, two);
    assert.equal((await s.find(base, 'version')).length, 1);
    assert.notEqual(
      await s.give(base, 'V3', 'version one', 'x'),
      one,
      'an old version given again',
    );
  });

  it('a document that fails leaves no passage and leaves the one that it was to replace', async () => {
    const s = k();
    const base = await s.base();
    const old = await s.learn(base, 'Old', 'The old word is heather.', 'x');
    const next = await s.give(base, 'New', 'The new word is bracken.', 'x');
    await s.split(next, ['The new word is bracken.']);
    const error = { code: 'BROKEN', message: 'It is broken.' };
    while (!(await bench().store.asWorker((tx) => takeIn.failDocument(tx, next, error))));
    assert.equal((await s.find(base, 'heather'))[0]?.documentId, old);
    const { rows } =
      await sql`select 1 from knowledge_passages where document_id = ${next}`.execute(
        bench().db.kysely,
      );
    assert.equal(rows.length, 0);
    const read = await s.asOrg((tx) => documents.findDocument(tx, base.baseKey, next));
    assert.deepEqual([read?.status, read?.errorCode], ['FAILED', 'BROKEN']);
  });

  it('what is deleted is found no more at once, cannot come back, and then leaves nothing in any table', async () => {
    const s = k();
    const base = await s.base();
    const canary = `canary${randomUUID().replaceAll('-', '')}`;
    const id = await s.learn(base, canary, `The word is ${canary}.`);
    const late = await s.give(base, 'Late', `late ${canary}`);
    await twice(s.asOrg, (tx) => bases.deleteBase(tx, s.orgId, base.baseId, 'ada'));
    assert.deepEqual(await s.find(base, canary), []);
    assert.equal(await s.asOrg((tx) => bases.findBase(tx, s.orgId, base.baseId)), undefined);
    assert.equal(
      await bench().store.asWorker((tx) => takeIn.readToTakeIn(tx, late, { withFile: true })),
      undefined,
    );
    const todo = await bench().store.asReconciler((tx) => upkeep.leaseToDo(tx, 100, randomUUID()));
    for (const { documentId, what } of todo) if (what === 'PURGE') await s.purge(documentId);
    assert.ok(todo.some((one) => one.documentId === id));
    for (const table of ['bases', 'documents', 'files', 'passages']) {
      const { rows } =
        await sql`select 1 from ${sql.table(`knowledge_${table}`)} t where t::text like ${`%${canary}%`}`.execute(
          bench().db.kysely,
        );
      assert.equal(rows.length, 0, table);
    }
  });

  it('a lease is given to one process, and again to who has it', async () => {
    const s = k();
    const id = await s.give(await s.base(), 'T', randomUUID());
    const lease = randomUUID();
    const has = (todo: readonly upkeep.ToDo[]) => todo.some((one) => one.documentId === id);
    const take = (name: string) =>
      bench().store.asReconciler((tx) => upkeep.leaseToDo(tx, 1000, name));
    assert.ok(has(await take(lease)) && has(await take(lease)));
    assert.ok(!has(await take(randomUUID())));
    await twice(bench().store.asReconciler, (tx) => upkeep.noteStarted(tx, id));
    assert.ok(!has(await take(randomUUID())));
  });

  it('vectors, where the database has them, are compared within one model only, and go with their passages', async function () {
    const s = k();
    if (!(await s.asOrg(vectors.vectorsThere))) this.skip();
    const base = await s.base();
    const ids: string[] = [];
    for (const [title, values, model] of [
      ['Near', [1, 0.1, 0], 'm1'],
      ['Far', [0, 1, 0], 'm1'],
      ['Other model', [1, 0, 0], 'm2'],
    ] as const) {
      const id = await s.learn(base, title, `About ${title}`);
      ids.push(id);
      const passageId = takeIn.passageIdOf(id, 0);
      await twice(bench().store.asWorker, (tx) =>
        vectors.keepVectors(tx, model, [{ passageId, values }]),
      );
    }
    const near = await s.asOrg((tx) =>
      vectors.nearestPassages(tx, s.orgId, [base.baseKey], { model: 'm1', values: [1, 0, 0] }, 10),
    );
    assert.deepEqual(near, [
      takeIn.passageIdOf(ids[0] ?? '', 0),
      takeIn.passageIdOf(ids[1] ?? '', 0),
    ]);
    assert.ok((await bench().store.asWorker((tx) => vectors.countWithoutVector(tx, 'm1'))) >= 1);
    await s.asOrg((tx) => documents.deleteDocument(tx, s.orgId, base.baseKey, ids[0] ?? '', 'ada'));
    await s.purge(ids[0] ?? '');
    const { rows } =
      await sql`select 1 from knowledge_vectors where document_id = ${ids[0]}`.execute(
        bench().db.kysely,
      );
    assert.equal(rows.length, 0);
  });

  describe('memories', () => {
    const all = async (s: ReturnType<typeof k>, userId = 'ada') =>
      (
        await s.asOrg((tx) =>
          memories.listMemories(tx, s.orgId, userId, { limit: 100, after: undefined }),
        )
      ).items.map((m) => m.content);

    it('the same fact stands once, a contradicting one takes its place, others stay', async () => {
      const s = k();
      for (const text of ['My favourite colour is blue.', 'my favourite  colour is blue'])
        await s.remember(text);
      assert.equal((await all(s)).length, 1);
      const kept = await s.remember('The user’s favourite colour is green.');
      assert.equal(kept.kind === 'KEPT' && kept.replaced.length, 1);
      for (const other of [
        'The report for the board is due every second Tuesday.',
        'The report for the board is written by Ann.',
        'I am tired.',
        'I am Bob.',
        'Plays the cello on Sundays.',
      ])
        await s.remember(other);
      assert.equal((await all(s)).length, 6);
      assert.ok(!(await all(s)).some((text) => text.includes('blue')));
    });

    it('of what was replaced the hash stays in the audit, beside who replaced it', async () => {
      const s = k();
      await s.remember('My favourite colour is blue.');
      await s.remember('My favourite colour is green.');
      const { rows } = await sql<{ action: string; actor: string; data: Record<string, unknown> }>`
        select action, actor, data from audit where org_id = ${s.orgId} order by id`.execute(
        bench().db.kysely,
      );
      assert.deepEqual(
        rows.map(({ action, actor, data }) => [action, actor, data['hash']]),
        [
          ['memory.kept', 'ada', sha256Hex('My favourite colour is blue.')],
          ['memory.replaced', 'ada', sha256Hex('My favourite colour is blue.')],
          ['memory.kept', 'ada', sha256Hex('My favourite colour is green.')],
        ],
      );
      assert.deepEqual(rows[2]?.data['replaced'], [rows[0]?.data['memoryId']]);
    });

    it('a user who has as many as are allowed keeps no more, but may change one; others keep theirs', async () => {
      const s = k();
      await s.remember('My favourite colour is blue.');
      await sql`insert into memories (memory_id, org_id, user_id, content, fact, words, created_by)
        select 'mem_' || gen_random_uuid(), ${s.orgId}, 'ada', 'fact ' || i, 'fact ' || i, '', 'ada'
        from generate_series(2, ${memories.MEMORIES_MAX}) i`.execute(bench().db.kysely);
      assert.equal((await s.remember('Plays the cello on Sundays.')).kind, 'FULL');
      assert.equal((await s.remember('My favourite colour is BLUE.')).kind, 'KNOWN');
      assert.equal((await s.remember('My favourite colour is green.')).kind, 'KEPT');
      assert.equal((await s.remember('Plays the cello on Sundays.', 'bob')).kind, 'KEPT');
    });

    it('the same call remembers once, also after what it remembered was deleted', async () => {
      const s = k();
      const id = `mem_${v7()}`;
      const runId = `run_${v7()}`;
      const memory = {
        memoryId: id,
        orgId: s.orgId,
        userId: 'ada',
        content: 'Likes tea.',
        createdBy: 'holdpoint',
        runId,
      };
      const keep = () => s.asOrg((tx) => memories.keepMemory(tx, memory));
      assert.equal((await keep()).kind, 'KEPT');
      assert.equal((await keep()).kind, 'KEPT');
      const by = { orgId: s.orgId, actor: 'ada' };
      assert.equal(
        await s.asOrg((tx) => memories.deleteMemory(tx, by, 'bob', id)),
        false,
        'of another user',
      );
      assert.equal(await s.asOrg((tx) => memories.deleteMemory(tx, by, 'ada', id)), true);
      assert.equal((await keep()).kind, 'GONE');
      assert.deepEqual(await all(s), []);
    });

    it('the nearest come first, of that user alone, and no more than a prompt may hold', async () => {
      const s = k();
      for (let i = 0; i < 12; i++)
        await s.remember(`Knows the ${i}th verse of a song about rivers ${randomUUID()}`);
      await s.remember("The user's parrot is called Pedro.");
      await s.remember("The user's parrot is called Paula.", 'bob');
      const found = await s.asOrg((tx) =>
        memories.memoriesForRun(
          tx,
          { orgId: s.orgId, userId: 'ada' },
          'What is the name of my parrots, please?',
        ),
      );
      assert.deepEqual(
        found.map((m) => m.content),
        ["The user's parrot is called Pedro."],
      );
      const many = await s.asOrg((tx) =>
        memories.findMemories(tx, s.orgId, 'ada', 'songs about rivers', 8),
      );
      assert.equal(many.length, 8);
      await twice(s.asOrg, (tx) =>
        memories.deleteMemoriesOf(tx, { orgId: s.orgId, actor: 'ada' }, 'ada'),
      );
      assert.deepEqual(await all(s), []);
      assert.equal((await all(s, 'bob')).length, 1);
    });
  });
}
