import assert from 'node:assert/strict';
import { createDeltaPublisher } from '../../src/activities/delta-publisher.ts';
import type { Change } from '../../src/store/events/notifications.ts';
import { postgresOrSkip, type PostgresRig } from '../rig/postgres.ts';
import { until } from '../rig/wait.ts';
import { drive, openBench, type Bench } from './fixture.ts';

describe('announcing between two processes on PostgreSQL', () => {
  let postgres: PostgresRig;
  let here: Bench;
  let there: Bench;
  before(async function () {
    postgres = await postgresOrSkip(this);
    const url = await postgres.createDatabase();
    here = await openBench(url);
    there = await openBench(url);
  });
  after(async () => {
    await here?.close();
    await there?.close();
    await postgres?.stop();
  });

  it('deltas of a model reach readers elsewhere as they are stored, and wake none who waits for the run itself', async () => {
    const { runId, orgId } = await drive(here.store).start();
    const heard: Record<'here' | 'there', Change[]> = { here: [], there: [] };
    let woken = 0;
    // A first announcement may still be under way.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const stops = [
      here.store.announcer.listen(runId, (change) => heard.here.push(change)),
      there.store.announcer.listen(runId, (change) => heard.there.push(change)),
    ];
    const watch = there.store.announcer.watch(runId);
    void watch.changed().then(() => woken++);
    const publisher = createDeltaPublisher(here.store, {
      runId,
      orgId,
      turn: 0,
      seq: 1,
      first: true,
    });
    publisher.publish({ kind: 'CONTENT', text: 'Hello' });
    await until('told there', () => heard.there.includes('DELTAS'), 1500, 5);
    if (!heard.there.includes('STATUS')) assert.equal(woken, 0);
    assert.ok(!heard.here.includes('DELTAS'));
    publisher.close();
    watch.close();
    for (const stop of stops) stop();
  });

  it('a change of the run is announced in both', async () => {
    const s = drive(here.store);
    const run = await s.start();
    const told = [here, there].map((bench) => {
      const watch = bench.store.announcer.watch(run.runId);
      return watch.changed().then(watch.close);
    });
    await s.cancel(run);
    await Promise.all(told);
  });
});
