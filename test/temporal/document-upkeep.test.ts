import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { createDocumentUpkeep, type DocumentUpkeep } from '../../src/temporal/document-upkeep.ts';
import * as documents from '../../src/store/knowledge/documents.ts';
import { noteStarted } from '../../src/store/knowledge/upkeep.ts';
import { atIntervals } from '../rig/at-intervals.ts';
import { until } from '../rig/wait.ts';
import { openBench, type Bench } from '../store/fixture.ts';
import { knowing } from '../store/knowledge-contract.ts';

const LOOK_EVERY_MS = 10;
const SEVERAL_LOOKS_MS = 15 * LOOK_EVERY_MS;

describe('the upkeep of documents', () => {
  let bench: Bench;
  let open: DocumentUpkeep[] = [];
  before(async () => {
    bench = await openBench();
  });
  afterEach(async () => {
    await Promise.all(open.map((one) => one.stop()));
    open = [];
    await sql`truncate knowledge_bases cascade`.execute(bench.db.kysely);
  });
  after(() => bench.close());

  /** A Temporal that answers as the test says. */
  function begin({ isOurs = () => true }: { readonly isOurs?: () => boolean } = {}) {
    const said: string[] = [];
    const looks: string[] = [];
    const statuses = new Map<string, string>();
    const upkeep = createDocumentUpkeep({
      store: bench.store,
      workflows: {
        start: async ({ documentId }) => {
          said.push(`START ${documentId}`);
        },
        cancel: async (documentId) => {
          said.push(`CANCEL ${documentId}`);
        },
        look: async (documentId) => {
          looks.push(documentId);
          return statuses.get(documentId) ?? 'NOT_FOUND';
        },
      },
      identity: {
        check: async () => {
          if (!isOurs()) throw new Error('another Temporal');
        },
        invalidate: () => undefined,
      },
      log: { warn: () => undefined },
      onDue: atIntervals(LOOK_EVERY_MS),
    });
    open.push(upkeep);
    return { said, looks, statuses, upkeep };
  }
  const given = async () => {
    const s = knowing(bench.store, `org-${randomUUID()}`);
    const base = await s.base();
    const id = await s.give(base, 'T', randomUUID());
    const read = () => s.asOrg((tx) => documents.findDocument(tx, base.baseKey, id));
    const remove = () =>
      s.asOrg((tx) => documents.deleteDocument(tx, s.orgId, base.baseKey, id, 'ada'));
    return { ...{ s, base, id, read, remove }, status: async () => (await read())?.status };
  };
  /** Long enough that Temporal must know it. */
  const startedLongAgo = async (id: string): Promise<void> => {
    await bench.store.asReconciler((tx) => noteStarted(tx, id));
    await sql`update knowledge_documents set started_at = now() - interval '1 minute' where document_id = ${id}`.execute(
      bench.db.kysely,
    );
  };
  const rows = async (id: string): Promise<number> =>
    (
      await sql`select 1 from knowledge_documents where document_id = ${id}`.execute(
        bench.db.kysely,
      )
    ).rows.length;

  it('starts what was given, once, and cancels and takes away what is deleted', async () => {
    const { id, remove } = await given();
    const { said, statuses } = begin();
    statuses.set(id, 'RUNNING');
    await until('started', () => said.length > 0);
    await new Promise((done) => setTimeout(done, SEVERAL_LOOKS_MS));
    assert.deepEqual(said, [`START ${id}`]);
    await remove();
    await until('gone', async () => (await rows(id)) === 0);
    assert.deepEqual(said, [`START ${id}`, `CANCEL ${id}`]);
  });

  it('says and concludes nothing while Temporal is another one, and goes on when it is its own again', async () => {
    const [waiting, ended, removed] = [await given(), await given(), await given()];
    await startedLongAgo(ended.id);
    await startedLongAgo(removed.id);
    await removed.remove();
    let isOurs = false;
    const { said, looks, statuses } = begin({ isOurs: () => isOurs });
    statuses.set(ended.id, 'TERMINATED');
    await new Promise((done) => setTimeout(done, SEVERAL_LOOKS_MS));
    assert.deepEqual([said, looks], [[], []]);
    assert.deepEqual(
      [await waiting.status(), await ended.status(), await rows(removed.id)],
      ['PROCESSING', 'PROCESSING', 1],
    );
    isOurs = true;
    await until('all is seen to', async () => (await ended.status()) === 'FAILED');
    await until('gone', async () => (await rows(removed.id)) === 0);
    assert.deepEqual(said.toSorted(), [`CANCEL ${removed.id}`, `START ${waiting.id}`].toSorted());
  });

  it('believes nothing of an answer that came from another Temporal in the middle of a look', async () => {
    const { id, status } = await given();
    await startedLongAgo(id);
    const { looks, statuses } = begin({ isOurs: () => looks.length === 0 });
    statuses.set(id, 'TERMINATED');
    await until('asked', () => looks.length > 0);
    await new Promise((done) => setTimeout(done, SEVERAL_LOOKS_MS));
    assert.equal(await status(), 'PROCESSING');
  });

  it('fails what an operator ended, and starts again what Temporal lost or did in a record that is gone', async () => {
    const all = [await given(), await given(), await given()] as const;
    const [ended, lost, done] = all;
    for (const { id } of all) await startedLongAgo(id);
    const { said, statuses } = begin();
    statuses.set(ended.id, 'TERMINATED').set(done.id, 'COMPLETED');
    await until('three are seen to', async () => said.length >= 2);
    await until('failed', async () => (await ended.status()) === 'FAILED');
    assert.equal((await ended.read())?.errorCode, 'TERMINATED');
    assert.deepEqual(
      [...new Set(said)].toSorted(),
      [`START ${lost.id}`, `START ${done.id}`].toSorted(),
    );
  });
});
