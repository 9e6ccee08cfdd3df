import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { createDueWatch, type DueKind, type DueWatch } from '../../src/store/due.ts';
import type { Store } from '../../src/store/database/access.ts';
import { until } from '../rig/wait.ts';
import { drive, openBench, type Bench } from './fixture.ts';

/** A tenth of what it is. */
const PACE = { busy: 50, idle: 400, staysBusy: 300 };

describe('what there is to do that no caller waits for', () => {
  let bench: Bench;
  let watch: DueWatch;
  let looks: number;
  let called: DueKind[];
  before(async () => {
    bench = await openBench();
  });
  beforeEach(() => {
    [looks, called] = [0, []];
    const asReconciler: Store['asReconciler'] = (work) => {
      looks++;
      return bench.store.asReconciler(work);
    };
    watch = createDueWatch(asReconciler, bench.store.announcer, PACE);
  });
  afterEach(async () => {
    await watch.stop();
    await sql`delete from outbox`.execute(bench.db.kysely);
  });
  after(() => bench.close());

  it('is looked for at once where nothing was to be looked for long', async () => {
    const slow = createDueWatch(bench.store.asReconciler, bench.store.announcer, {
      ...PACE,
      idle: 60_000,
    });
    const seen: number[] = [];
    slow.on('outbox', () => void seen.push(performance.now()));
    await sleep(600);
    assert.deepEqual(seen, []);
    const s = drive(bench.store);
    const run = await s.start();
    await until('it is called', () => seen.length > 0);
    await s.cancel(run);
    await slow.stop();
  });

  const listen = (kind: DueKind): unknown => watch.on(kind, () => called.push(kind));

  it('is not looked for until somebody listens, and may be there until it was', async () => {
    await sleep(50);
    assert.equal(looks, 0);
    assert.equal(watch.isDue('openRuns'), true);
    listen('openRuns');
    await until('a look', () => !watch.isDue('openRuns'));
    assert.deepEqual(called, []);
  });

  it('is looked for seldom while nothing happens', async () => {
    listen('outbox');
    await sleep(500); // what came before it
    const before = looks;
    await sleep(1300);
    assert.ok(looks - before <= 4, `${looks - before} looks`);
    assert.ok(looks - before >= 1);
  });

  it('is looked for soon after a transaction that may have left it', async () => {
    listen('outbox');
    listen('openRuns');
    listen('documents');
    await sleep(500);
    [looks, called] = [0, []];
    const s = drive(bench.store);
    const run = await s.start();
    await until('it is called', () => called.includes('outbox'));
    assert.ok(looks <= 2, `${looks} looks`);
    assert.equal(watch.isDue('openRuns'), true);
    assert.equal(called.includes('documents'), false);
    await s.cancel(run);
    await until('no run is open', () => !watch.isDue('openRuns'));
  });
});
