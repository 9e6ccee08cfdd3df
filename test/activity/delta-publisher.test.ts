import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { createDeltaPublisher, type DeltaPublisher } from '../../src/activities/delta-publisher.ts';
import { BEGINNING } from '../../src/contract/position.ts';
import { StoreUnavailableError, type Store } from '../../src/store/database/access.ts';
import { isDelta, readLines } from '../../src/store/events/read.ts';
import type { Delta } from '../../src/store/events/live-deltas.ts';
import { drive, openBench, type Bench } from '../store/fixture.ts';
import { until } from '../rig/wait.ts';

describe('publishing what a model says', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  async function speaking(
    store: Store = bench.store,
  ): Promise<{ runId: string; publisher: DeltaPublisher; seq: number }> {
    const { runId, orgId } = await drive(bench.store).start();
    return {
      runId,
      seq: 1,
      publisher: createDeltaPublisher(store, { runId, orgId, turn: 0, seq: 1, first: true }),
    };
  }
  const stored = async (runId: string): Promise<readonly Delta[]> => {
    const wanted = { after: BEGINNING, limit: 100, framesOnly: true };
    return (await bench.store.asWorker((tx) => readLines(tx, runId, wanted))).lines.filter(isDelta);
  };
  const say = (publisher: DeltaPublisher, ...texts: readonly string[]): void => {
    for (const text of texts) publisher.publish({ kind: 'CONTENT', text });
  };

  it('stores the first delta at once and the following ones together', async () => {
    const { runId, publisher } = await speaking();
    const begunAt = Date.now();
    say(publisher, 'a');
    await until('the first', async () => (await stored(runId)).length === 1, 5000, 5);
    say(publisher, 'b', 'c', 'd');
    await until('the rest', async () => (await stored(runId)).length === 2, 5000, 5);
    assert.ok(Date.now() - begunAt >= 80);
    assert.deepEqual(
      (await stored(runId)).map(({ text, offset }) => [text, offset]),
      [
        ['a', 1],
        ['bcd', 4],
      ],
    );
    assert.deepEqual(await publisher.rest(), []);
    publisher.close();
  });

  it('gives a live reader and the store the same ids for the same positions, in UTF-16 code units', async () => {
    const { runId, publisher, seq } = await speaking();
    const live: Delta[] = [];
    bench.store.live.listen(runId, () => {
      const deltas = bench.store.live.after(runId, { seq, offset: live.at(-1)?.offset ?? 0 });
      if (deltas !== 'STORE') live.push(...deltas);
    });
    publisher.publish({ kind: 'REASONING', text: 'hm' });
    say(publisher, 'x\ud83d', '\udc40', 'y\0', '\udfff!');
    const rest = await publisher.rest();
    const text = (deltas: readonly Delta[]): string => deltas.map((delta) => delta.text).join('');
    assert.equal(text(live), 'hmx👀y\ufffd\ufffd!');
    assert.equal(text(rest), text(live));
    assert.deepEqual(
      rest.map(({ offset }) => offset),
      [2, 9],
    );
    for (const delta of live)
      assert.ok(!/^[\udc00-\udfff]|[\ud800-\udbff]$/.test(delta.text), 'no half of a pair');
    assert.equal(live.at(-1)?.offset, 9);
    publisher.close();
  });

  it('goes on while the database is away, and stores what has gathered when it is back', async () => {
    let away = true;
    const store: Store = {
      ...bench.store,
      asWorker: (work) =>
        away
          ? Promise.reject(new StoreUnavailableError(false, false, undefined))
          : bench.store.asWorker(work),
    };
    const { runId, publisher } = await speaking(store);
    say(publisher, 'one ', 'two ');
    await new Promise((resolve) => setTimeout(resolve, 150));
    say(publisher, 'three');
    away = false;
    await until(
      'all of it',
      async () => (await stored(runId)).map((delta) => delta.text).join('') === 'one two three',
      5000,
      20,
    );
    publisher.close();
  });

  it('a chunk that was written twice and cut otherwise is read once', async () => {
    const { runId } = await speaking();
    const write = (offset: number, text: string) =>
      bench.store.asWorker((tx) =>
        sql`insert into deltas (run_id, org_id, seq, chunk_offset, kind, text) values (${runId}, 'acme', 1, ${offset}, 'CONTENT', ${text})`.execute(
          tx.db,
        ),
      );
    await write(3, 'abc');
    await write(5, 'abcde');
    assert.deepEqual(
      (await stored(runId)).map(({ text }) => text),
      ['abc', 'de'],
    );
  });
});
