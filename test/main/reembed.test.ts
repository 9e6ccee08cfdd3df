// `npm run reembed`: every passage that is searched gets a vector of the present model, and what was
// done when it is stopped is not done again.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { reembed } from '../../src/main/reembed-documents.ts';
import { EmbeddingError, type Embedder } from '../../src/models/embedder.ts';
import { passageIdOf } from '../../src/store/knowledge/take-in.ts';
import {
  countWithoutVector,
  keepVectors,
  nearestPassages,
} from '../../src/store/knowledge/vectors.ts';
import { vectorOf } from '../rig/embeddings.ts';
import { openBench, type Bench } from '../store/fixture.ts';
import { knowing } from '../store/knowledge-contract.ts';

const PASSAGES = 150;
const never = new AbortController().signal;

describe('giving passages vectors of another model', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  /** An embedder of the model `new` that is asked batch by batch. */
  function embedderOf(before: (batch: number) => void = () => undefined) {
    const texts: string[] = [];
    let batch = 0;
    const embedder: Embedder = {
      model: 'new',
      embed: async (some) => {
        before(++batch);
        texts.push(...some);
        return some.map(vectorOf);
      },
    };
    return { embedder, texts };
  }

  it('is resumable: stopped in the middle it goes on with the rest, and vectors of two models are never compared', async () => {
    const s = knowing(bench.store, `org-${randomUUID()}`);
    const base = await s.base();
    const id = await s.give(base, 'Rivers', randomUUID());
    await s.split(
      id,
      Array.from({ length: PASSAGES }, (_, i) => `Passage ${i} about rivers.`),
    );
    await s.publish(id);
    // One of the old model lies exactly where the question does.
    const old = { passageId: passageIdOf(id, PASSAGES - 1), values: vectorOf('rivers') };
    await bench.store.asWorker((tx) => keepVectors(tx, 'old', [old]));
    const near = () =>
      s.asOrg((tx) =>
        nearestPassages(
          tx,
          s.orgId,
          [base.baseKey],
          { model: 'new', values: vectorOf('rivers') },
          PASSAGES,
        ),
      );
    const left = () => bench.store.asWorker((tx) => countWithoutVector(tx, 'new'));
    assert.deepEqual([await near(), await left()], [[], PASSAGES]);

    const stopping = new AbortController();
    const stopped = embedderOf((batch) => {
      if (batch === 2) stopping.abort(new Error('stopped'));
      stopping.signal.throwIfAborted();
    });
    await assert.rejects(
      reembed(bench.store, stopped.embedder, stopping.signal, () => undefined),
      /stopped/,
    );
    const done = stopped.texts.length;
    assert.ok(done > 0 && done < PASSAGES, `${done}`);
    assert.deepEqual([(await near()).length, await left()], [done, PASSAGES - done]);

    const said: string[] = [];
    const again = embedderOf();
    assert.equal(
      await reembed(bench.store, again.embedder, never, (line) => said.push(line)),
      PASSAGES - done,
    );
    assert.equal(new Set([...stopped.texts, ...again.texts]).size, PASSAGES);
    assert.equal(said.at(-1), `${PASSAGES - done} of ${PASSAGES - done}`);
    assert.deepEqual([(await near()).length, await left()], [PASSAGES, 0]);
    assert.equal(await reembed(bench.store, again.embedder, never, () => undefined), 0);
  });

  it('waits for a server that is away, and ends where it refuses', async () => {
    const s = knowing(bench.store, `org-${randomUUID()}`);
    await s.learn(await s.base(), 'One', 'About lakes.');
    const patient = embedderOf((batch) => {
      if (batch === 1) throw new EmbeddingError('AWAY', 'away', 10);
    });
    assert.equal(await reembed(bench.store, patient.embedder, never, () => undefined), 1);
    await s.learn(await s.base(), 'Two', 'About ponds.');
    const refused = embedderOf(() => {
      throw new EmbeddingError('REFUSED', 'no such model');
    });
    await assert.rejects(
      reembed(bench.store, refused.embedder, never, () => undefined),
      /no such model/,
    );
  });
});
