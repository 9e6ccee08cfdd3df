// `npm run bench:paused`: what runs that wait for people cost a worker. The bounded workflow cache
// is filled first and half of the load is played beforehand (a young heap grows to its working size
// whatever runs do), so that what is measured is a run out of the cache; then start latency and
// memory at 0, a tenth and all of PAUSED=N (10,000 by default), and any of them resumes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { callerOf, openStage, plan, tokenOf } from '../test/e2e/stage.ts';
import { startPostgres } from '../test/rig/postgres.ts';
import { startProduct } from '../test/rig/product.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { startTemporal } from '../test/rig/temporal.ts';
import { until } from '../test/rig/wait.ts';
import { ms, percentile, privateBytesOf, table } from './measure.ts';

// the rigs clear up at exit
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const PAUSED = Number(process.env['PAUSED'] ?? 10_000);
const AT_ONCE = 16;
const PROBES = 60;
/** A second apart: in that time V8 gives back what it holds in reserve. */
const READINGS = 20;
const workerSource = readFileSync(new URL('../src/main/run-worker.ts', import.meta.url), 'utf8');
const CACHED = Number(/MAX_CACHED_WORKFLOWS = (\d+)/.exec(workerSource)?.[1]);
assert.ok(CACHED > 0, 'src/main/run-worker.ts says how many workflows are cached');

const database = await startPostgres();
assert.ok(database.ok, 'PostgreSQL is needed');
const { postgres } = database;
const [temporal, stage, databaseUrl] = await Promise.all([
  startTemporal(),
  openStage(),
  postgres.createDatabase(),
]);
const env = {
  ...stage.env,
  DATABASE_URL: databaseUrl,
  TEMPORAL_ADDRESS: temporal.address,
  LOG_LEVEL: 'error',
};
const api = await startProduct({ role: 'api', env: { ...env, DATA_DIR: tempDir() } });
// With little room garbage does not pile up, and freed memory is given back: what is left is what
// is kept.
const tight = { NODE_OPTIONS: '--max-old-space-size=192', MALLOC_ARENA_MAX: '2' };
const worker = await startProduct({
  role: 'worker',
  env: { ...env, ...tight, DATA_DIR: tempDir() },
  noWait: true,
});
const ada = callerOf(api.url, await tokenOf('ada'));
const lea = callerOf(api.url, await tokenOf('lea'));

const ids: string[] = [];
async function pauseUntil(count: number): Promise<void> {
  const lane = async (): Promise<void> => {
    while (ids.length < count) {
      const { run } = await ada.ask(plan([['pay', { amount: 5 }]], 'Paid.'));
      assert.equal(run.status, 'PAUSED');
      ids.push(run.runId);
      if (ids.length % 1000 === 0) console.log(`  ${ids.length} paused`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
async function startLatency(): Promise<readonly number[]> {
  const took: number[] = [];
  for (let i = 0; i < PROBES; i++) {
    const began = performance.now();
    await ada.ask(plan('Answered.'));
    took.push(performance.now() - began);
  }
  return took;
}
/** The lowest of some readings: short-lived garbage is not what waiting costs. */
async function heldBytes(): Promise<number> {
  const readings: number[] = [];
  await until(
    'readings',
    () => readings.push(privateBytesOf(worker.pid() ?? 0)) >= READINGS,
    2 * READINGS * 1000,
    1000,
  );
  return Math.min(...readings);
}

await pauseUntil(CACHED + PAUSED / 2);
await startLatency();
ids.length = 0;
const rows: string[][] = [];
let first = 0;
for (const count of [0, Math.round(PAUSED / 10), PAUSED]) {
  await pauseUntil(count);
  const took = await startLatency();
  const held = await heldBytes();
  if (count === 0) first = held;
  const growth = count === 0 ? '-' : `${((held - first) / count / 1024).toFixed(2)} KB`;
  rows.push([
    String(count),
    (held / 2 ** 20).toFixed(1),
    growth,
    ms(percentile(took, 0.5)),
    ms(percentile(took, 0.95)),
  ]);
}
const sample = [0, 0.25, 0.5, 0.75, 1].map(
  (share) => ids[Math.min(ids.length - 1, Math.floor(ids.length * share))] ?? '',
);
const resumed: number[] = [];
for (const runId of sample) {
  const began = performance.now();
  const { run } = await lea.decide({ runId }, { action: 'APPROVE' });
  assert.deepEqual([run.status, run.content], ['COMPLETED', 'Paid.']);
  resumed.push(performance.now() - began);
}
for (const stop of [worker.stop, api.stop, temporal.stop, postgres.stop, stage.close]) await stop();

console.log(
  `\none worker, ${CACHED} workflows in its cache, on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}\n`,
);
console.log(
  table(['paused runs', 'worker MB', 'growth a run', 'start to answer p50 ms', 'p95 ms'], rows),
);
console.log(
  `\nresumed, from the oldest to the newest of ${ids.length}: ${resumed.map(ms).join(', ')} ms from approval to answer`,
);
process.exit(0);
