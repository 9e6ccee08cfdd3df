// `npm run load`: what a quiet org waits while a loud one starts three times as many runs as the
// machine carries, in one process and with the roles apart. Prints a table and its verdict; exits
// with 1 where a bound is not kept. LOUD_S=N seconds of it, 30 by default.

import { cpus } from 'node:os';
import { openStage, plan } from '../test/e2e/stage.ts';
import { DEPLOYMENTS } from './deployments.ts';
import { playLoudAndQuiet, type Measured } from './loud-and-quiet.ts';
import { ms, percentile, table } from './measure.ts';

// the rigs clear up at exit
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const LOUD_S = Number(process.env['LOUD_S'] ?? 30);
/** Each in ms; the open runs are the org's limit and what is resumed beside it. */
const BOUND = { quiet: 2000, recovered: 10_000, open: 1000 };

const stage = await openStage();
const message = plan([['look', { note: 'NVDA' }]], 'It stands at 120.');

function kept({ runs, reads, recoveredMs, mostOpen }: Measured): boolean {
  const slowest = Math.max(percentile(runs, 0.99), percentile(reads, 0.99));
  return slowest < BOUND.quiet && recoveredMs < BOUND.recovered && mostOpen <= BOUND.open;
}

const rows: string[][] = [];
let allKept = true;
for (const deploy of DEPLOYMENTS) {
  const { name, url, stop } = await deploy(stage.env);
  const got = await playLoudAndQuiet({ url, message, warmUpMs: 8000, loudMs: LOUD_S * 1000 });
  await stop();
  allKept &&= kept(got);
  const { carried, loud, alone, runs, reads, mostOpen, recoveredMs } = got;
  rows.push([
    name,
    carried.toFixed(1),
    [...loud].map(([status, n]) => `${n} × ${status}`).join(', '),
    ...[ms(percentile(alone, 0.5)), ms(percentile(runs, 0.5)), ms(percentile(runs, 0.99))],
    ...[ms(percentile(reads, 0.99)), String(mostOpen), ms(recoveredMs)],
    kept(got) ? 'kept' : 'NOT KEPT',
  ]);
}
await stage.close();
const HEAD = [
  ...['deployment', 'carries runs/s', 'loud starts answered', 'quiet run alone, ms'],
  ...['beside, p50', 'p99', 'quiet read, p99', 'loud runs open, most', 'recovered, ms'],
  `p99 < ${BOUND.quiet} ms, open ≤ ${BOUND.open}, recovered < ${BOUND.recovered} ms`,
];
console.log(`${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, ${LOUD_S} s\n`);
console.log(table(HEAD, rows));
process.exitCode = allKept ? 0 : 1;
