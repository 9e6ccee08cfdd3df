import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { createRequestCounts, type RequestCounts } from '../../src/api/limits/request-counts.ts';
import { MINUTE_MS, standingOf } from '../../src/api/limits/request-quota.ts';
import { StoreUnavailableError, type Store } from '../../src/store/database/access.ts';
import { countRequests, forgetRequests } from '../../src/store/request-counts.ts';
import { newOrg, sharedStore } from './api-rig.ts';

const takenOf = async (counts: RequestCounts, orgId: string, limit: number, times: number) => {
  const all = await Promise.all(
    Array.from({ length: times }, () => counts.take([{ orgId, subject: 'ada', limit }])),
  );
  return all.filter(({ taken }) => taken).length;
};

/** Plays it again where the minute has turned meanwhile: then more may be taken. */
async function withinAMinute<T>(play: () => Promise<T>): Promise<T> {
  for (;;) {
    const began = Math.floor(Date.now() / MINUTE_MS);
    const came = await play();
    if (Math.floor(Date.now() / MINUTE_MS) === began) return came;
  }
}

describe('counted requests', () => {
  let store: Store;
  const open: RequestCounts[] = [];
  const counter = (over: Pick<Store, 'asReconciler'> = store): RequestCounts => {
    const made = createRequestCounts(over);
    open.push(made);
    return made;
  };
  before(async () => {
    store = await sharedStore();
  });
  after(() => Promise.all(open.map((counts) => counts.stop())));

  it('are at most the limit in one process, to the last one', async () => {
    for (const limit of [1, 2, 7, 500])
      assert.equal(
        await withinAMinute(() => takenOf(counter(), newOrg(), limit, limit + 30)),
        limit,
      );
  });

  it('of three processes are over the limit by no more than two of them may give untold', async () => {
    for (const limit of [1, 10, 300]) {
      const each = await withinAMinute(() => {
        const orgId = newOrg();
        const three = [counter(), counter(), counter()];
        return Promise.all(three.map((counts) => takenOf(counts, orgId, limit, limit)));
      });
      const all = each.reduce((sum, n) => sum + n, 0);
      const most = limit + 2 * Math.max(1, limit / 50);
      assert.ok(all >= limit && all <= most, `${all} of ${limit}: ${each}`);
    }
  });

  it('are known to a process that starts later', async () => {
    const orgId = newOrg();
    const first = counter();
    assert.equal(await takenOf(first, orgId, 20, 20), 20);
    await first.stop();
    assert.ok((await takenOf(counter(), orgId, 20, 20)) <= 1);
  });

  it('of one user are not counted to another, and a refused one to nobody', async () => {
    const came = await withinAMinute(async () => {
      const counts = counter();
      const orgId = newOrg();
      const lefts: string[] = [];
      for (const subject of ['ada', 'ada', 'ada', 'ada', 'bob', 'bob', 'cid', 'cid']) {
        const { taken, standings } = await counts.take([
          { orgId, subject, limit: 2 },
          { orgId, limit: 5 },
        ]);
        lefts.push(`${subject} ${taken} ${standings.map(({ left }) => left).join()}`);
      }
      return lefts;
    });
    assert.deepEqual(came, [
      ...['ada true 1,4', 'ada true 0,3', 'ada false 0,3', 'ada false 0,3'],
      ...['bob true 1,2', 'bob true 0,1', 'cid true 1,0', 'cid false 1,0'],
    ]);
  });

  it('go on without a database, each process by its own count, and no request waits for it', async () => {
    const away = () => Promise.reject(new StoreUnavailableError(false, false, new Error('away')));
    const silent = () => new Promise<never>(() => undefined);
    for (const asReconciler of [away, silent]) {
      const began = performance.now();
      const taken = await withinAMinute(() =>
        takenOf(counter({ asReconciler }), newOrg(), 100, 130),
      );
      assert.equal(taken, 100);
      assert.ok(performance.now() - began < 1500, `${performance.now() - began} ms`);
    }
  });

  it('are told when the database is back', async () => {
    let there = false;
    const flaky: Pick<Store, 'asReconciler'> = {
      asReconciler: (work) =>
        there
          ? store.asReconciler(work)
          : Promise.reject(new StoreUnavailableError(false, false, new Error('away'))),
    };
    const orgId = newOrg();
    const counts = counter(flaky);
    assert.equal(await takenOf(counts, orgId, 10, 10), 10);
    there = true;
    await counts.stop();
    assert.ok((await takenOf(counter(), orgId, 10, 10)) <= 1);
  });

  it('leave the same record when they are told twice, and old ones are let go', async () => {
    const orgId = newOrg();
    const [mine, other] = [randomUUID(), randomUUID()];
    const minute = Math.floor(Date.now() / MINUTE_MS);
    const given = [{ orgId, who: '', minute, used: 3 }];
    await store.asReconciler((tx) =>
      countRequests(tx, other, [
        { orgId, who: '', minute, used: 5 },
        { orgId, who: '', minute: minute - 1, used: 7 },
        { orgId, who: '', minute: minute - 9, used: 1 },
      ]),
    );
    for (let i = 0; i < 2; i++) {
      const { counts } = await store.asReconciler((tx) => countRequests(tx, mine, given));
      assert.deepEqual([counts[0]?.now, counts[0]?.before], [5, 7]);
      await store.asReconciler((tx) => forgetRequests(tx));
    }
    const { rows } = await store.asOrg(orgId, ({ db }) =>
      sql<{ used: number }>`select used from request_counts order by used`.execute(db),
    );
    assert.deepEqual(
      rows.map(({ used }) => used),
      [3, 5, 7],
    );
  });
});

describe('what is left of a quota', () => {
  const cases = fc.record({
    limit: fc.integer({ min: 1, max: 10_000 }),
    now: fc.integer({ min: 0, max: 12_000 }),
    before: fc.integer({ min: 0, max: 12_000 }),
    elapsedMs: fc.integer({ min: 0, max: MINUTE_MS - 1 }),
  });

  it('is never more than the limit, and there is some again when it says so', () => {
    fc.assert(
      fc.property(cases, ({ limit, now, before, elapsedMs }) => {
        const { left, moreInS } = standingOf(limit, { now, before }, elapsedMs);
        assert.ok(left >= 0 && left <= limit && moreInS >= 1);
        if (left > 0) return;
        const at = elapsedMs + moreInS * 1000;
        const later =
          at < MINUTE_MS
            ? standingOf(limit, { now, before }, at)
            : standingOf(limit, { now: 0, before: now }, Math.min(at - MINUTE_MS, MINUTE_MS));
        assert.ok(later.left > 0, JSON.stringify({ moreInS, later }));
      }),
    );
  });

  it('comes back as the minute before fades: no two bursts at its turn', () => {
    assert.deepEqual(standingOf(60, { now: 0, before: 60 }, 30_000), { left: 30, moreInS: 30 });
    assert.deepEqual(standingOf(60, { now: 30, before: 60 }, 30_000), { left: 0, moreInS: 1 });
    assert.deepEqual(standingOf(60, { now: 60, before: 0 }, 20_000), { left: 0, moreInS: 41 });
  });
});
